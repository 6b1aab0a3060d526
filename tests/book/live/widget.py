"""A widget's JavaScript on a page of its own, with a model that keeps what is set."""

import json
from typing import Any

from wsss_lib.show.live.figure import source_of, text_of

PAGE = """<meta charset=utf-8><style>{style}</style><div id=root></div>
<script type=module>
const data = {data};
const told = {{}};
window.model = {{
  get: (key) => data[key],
  set: (key, value) => {{ data[key] = value; (window.sent ||= []).push([key, value]); }},
  on: (name, call) => {{ (told[name] ||= []).push(call); }},
  off() {{}}, save_changes() {{}},
  receive: (key, value) => {{
    data[key] = value;
    for (const call of told[`change:${{key}}`] || []) call();
  }},
}};
const {{ default: widget }} = await import("data:text/javascript;base64,{module}");
widget.render({{ model, el: document.querySelector("#root") }});
document.documentElement.classList.add("ready");
</script>"""


def widget_page(module: str, state: dict[str, Any], style: str = "") -> str:
    """HTML of a page that shows a module with this state; it puts what it is sent into ``sent``."""
    return PAGE.format(
        data=json.dumps(state), module=text_of(source_of(module).encode()), style=style
    )

"""Systems that build on large models: CLIP, SAM and open-vocabulary detectors."""

// Two refiners in the page: PAMR and the random walker, as in wsss_lib.blocks.refine.

export const FREE = 255; // where nobody drew

// For each pixel, where its eight neighbours at each distance lie; the border repeats outside.
export function neighboursOf(width, height, dilations) {
  const sides = [-1, 0, 1];
  const shifts = dilations.flatMap((d) =>
    sides.flatMap((y) => sides.filter((x) => x || y).map((x) => [d * y, d * x])),
  );
  const within = (at, side) => Math.min(Math.max(at, 0), side - 1);
  const found = new Int32Array(width * height * shifts.length);
  let next = 0;
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      for (const [down, right] of shifts) {
        found[next] = within(y + down, height) * width + within(x + right, width);
        next += 1;
      }
    }
  }
  return found;
}

// How much each neighbour counts: a softmax over the closeness of colours.
// planes: RGB in [0, 1], channel after channel; the answer is laid out as the neighbours are.
export function pamrWeights(planes, neighbours, sharpness) {
  const size = planes.length / 3;
  const count = neighbours.length / size;
  const samples = (count / 8) * 9; // each window of 3 x 3 holds the pixel itself once
  const weights = new Float32Array(neighbours.length);
  const closeness = new Float64Array(count);
  for (let u = 0; u < size; u += 1) {
    const first = u * count;
    closeness.fill(0);
    for (let channel = 0; channel < 3 * size; channel += size) {
      const own = planes[channel + u];
      let [sum, squares] = [0, 0]; // of differences to the pixel itself, whose own are 0
      for (let k = 0; k < count; k += 1) {
        const difference = planes[channel + neighbours[first + k]] - own;
        sum += difference;
        squares += difference * difference;
      }
      const variance = Math.max(squares - (sum * sum) / samples, 0) / (samples - 1);
      const scale = 1 / (3 * (1e-8 + sharpness * Math.sqrt(variance)));
      for (let k = 0; k < count; k += 1) {
        closeness[k] -= Math.abs(planes[channel + neighbours[first + k]] - own) * scale;
      }
    }
    let [best, total] = [-Infinity, 0];
    for (let k = 0; k < count; k += 1) best = Math.max(best, closeness[k]);
    for (let k = 0; k < count; k += 1) {
      closeness[k] = Math.exp(closeness[k] - best);
      total += closeness[k];
    }
    for (let k = 0; k < count; k += 1) weights[first + k] = closeness[k] / total;
  }
  return weights;
}

// Each value becomes the weighted mean of its neighbours'.
export function pamrStep(map, neighbours, weights) {
  const count = neighbours.length / map.length;
  const refined = new Float32Array(map.length);
  for (let u = 0, at = 0; u < map.length; u += 1) {
    let sum = 0;
    for (let k = 0; k < count; k += 1, at += 1) sum += weights[at] * map[neighbours[at]];
    refined[u] = sum;
  }
  return refined;
}

// Ease of walking between pixels of like colour: to the right and down, 0 where the picture ends.
export function colourEdges(planes, width, height, beta = 130, floor = 1e-6) {
  const size = width * height;
  const mean = planes.reduce((sum, value) => sum + value, 0) / planes.length;
  const variance = planes.reduce((sum, value) => sum + (value - mean) ** 2, 0) / planes.length;
  const scale = beta / (10 * Math.max(Math.sqrt(variance), 1e-8) * Math.sqrt(3));
  const ease = (p, q) => {
    let squares = 0;
    for (let c = 0; c < 3 * size; c += size) squares += (planes[c + p] - planes[c + q]) ** 2;
    return Math.exp(-scale * squares) + floor;
  };
  const [right, down] = [new Float64Array(size), new Float64Array(size)];
  for (let p = 0; p < size; p += 1) {
    if ((p + 1) % width) right[p] = ease(p, p + 1);
    if (p + width < size) down[p] = ease(p, p + width);
  }
  return { right, down };
}

// Chance that a walk from each pixel meets a seed of the object (1) before one of the ground (0);
// seeds are 255 where nobody drew. Conjugate gradients, preconditioned by the degree, as in the
// library. A row of zeros above and below spares the loops all questions about borders.
export function walk(edges, seeds, width, tolerance = 1e-5) {
  const [first, end] = [width, width + seeds.length];
  const field = () => new Float64Array(seeds.length + 2 * width);
  const [right, down, chance, scale, residual, direction, pushed] = Array.from({ length: 7 }, field);
  right.set(edges.right, first);
  down.set(edges.down, first);
  chance.set(seeds.map((seed) => (seed === FREE ? 0 : seed)), first);
  const degree = field();
  for (let p = first; p < end; p += 1) {
    degree[p] = right[p] + right[p - 1] + down[p] + down[p - width];
    if (seeds[p - first] === FREE) scale[p] = 1 / degree[p]; // 0 holds seeds where they are
  }
  const push = (values) => {
    for (let p = first; p < end; p += 1) {
      pushed[p] =
        degree[p] * values[p] -
        right[p] * values[p + 1] -
        right[p - 1] * values[p - 1] -
        down[p] * values[p + width] -
        down[p - width] * values[p - width];
    }
  };
  push(chance);
  let energy = 0;
  for (let p = first; p < end; p += 1) {
    residual[p] = -pushed[p];
    direction[p] = scale[p] * residual[p];
    energy += residual[p] * direction[p];
  }
  const goal = tolerance ** 2 * energy;
  while (energy > goal) {
    push(direction);
    let curvature = 0;
    for (let p = first; p < end; p += 1) curvature += direction[p] * pushed[p];
    const step = energy / curvature;
    let next = 0;
    for (let p = first; p < end; p += 1) {
      chance[p] += step * direction[p];
      residual[p] -= step * pushed[p];
      next += residual[p] * scale[p] * residual[p];
    }
    const kept = next / energy;
    for (let p = first; p < end; p += 1) {
      direction[p] = scale[p] * residual[p] + kept * direction[p];
    }
    energy = next;
  }
  return chance.subarray(first, end);
}

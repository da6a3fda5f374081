"""Rows of line plots as SVG: text, so that it needs no library and shows what changed."""

import math
from xml.sax.saxutils import escape

WIDTH, HEIGHT, LEFT, TOP, BOTTOM, GAP = 300, 220, 44, 56, 40, 18
COLOURS = {
    "normforge": "#d1242f",
    "eager": "#8c959f",
    "compile": "#0969da",
    "triton": "#8250df",
    "quack": "#1a7f37",
    "liger": "#bf8700",
}


def text(x, y, words, size=11, anchor="middle"):
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}">{escape(words)}</text>'


def line(x1, y1, x2, y2, colour="#d0d7de"):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"/>'


def panel(x0, name, lines, low, high, top):
    """One plot: columns from 2^low to 2^high, fractions from 0 to `top`."""
    across = lambda cols: x0 + LEFT + (math.log2(cols) - low) / (high - low) * (WIDTH - LEFT)
    down = lambda fraction: TOP + HEIGHT * (1 - fraction / top)
    parts = [text(x0 + (LEFT + WIDTH) / 2, TOP - 8, name, 13)]
    for tenth in range(0, round(top * 10) + 1, 2):
        parts.append(line(x0 + LEFT, down(tenth / 10), x0 + WIDTH, down(tenth / 10)))
        parts.append(text(x0 + LEFT - 6, down(tenth / 10) + 4, f"{tenth / 10:.1f}", anchor="end"))
    for power in range(low, high + 1, 2):
        parts.append(line(across(2**power), TOP, across(2**power), TOP + HEIGHT))
        parts.append(text(across(2**power), TOP + HEIGHT + 16, str(2**power) if power < 10 else f"{2 ** (power - 10)}K"))
    for contestant, points in lines.items():
        places = [f"{across(cols):.1f},{down(min(fraction, top)):.1f}" for cols, fraction, _ in points]
        colour = COLOURS.get(contestant, "#000000")
        parts.append(f'<polyline points="{" ".join(places)}" fill="none" stroke="{colour}" stroke-width="{2 if contestant == "normforge" else 1.2}"/>')
        for place, (_, _, solid) in zip(places, points):
            x, y = place.split(",")
            parts.append(f'<circle cx="{x}" cy="{y}" r="2" stroke="{colour}" fill="{colour if solid else "white"}"/>')
    return parts


def svg(title, rows):
    """`rows`, of plots: (heading, [(name, {contestant: [(columns, fraction, whether its dot is solid)]})])."""
    contents = [lines for _, panels in rows for _, lines in panels]
    points = [point for lines in contents for places in lines.values() for point in places]
    low = math.floor(math.log2(min((cols for cols, *_ in points), default=64)))
    high = max(low + 1, math.ceil(math.log2(max((cols for cols, *_ in points), default=128))))
    top = max(1.0, math.ceil(10 * min(1.5, max((fraction for _, fraction, _ in points), default=1))) / 10)
    row_height, head = TOP + HEIGHT + BOTTOM, 56
    width = max([len(panels) for _, panels in rows], default=1) * (WIDTH + GAP) + GAP
    height = head + len(rows) * row_height
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif">']
    parts += [f'<rect width="{width}" height="{height}" fill="white"/>', text(width / 2, 22, title, 15)]
    taking_part = [name for name in COLOURS if any(name in lines for lines in contents)]
    for i, name in enumerate(taking_part):
        x = LEFT + i * 110
        parts += [line(x, 44, x + 24, 44, COLOURS[name]), text(x + 30, 48, name, anchor="start")]
    for r, (heading, panels) in enumerate(rows):
        parts += [f'<g transform="translate(0 {head + r * row_height})">', text(LEFT, 18, heading, 13, anchor="start")]
        for i, (name, lines) in enumerate(panels):
            parts += panel(i * (WIDTH + GAP), name, lines, low, high, top)
        parts.append("</g>")
    return "\n".join(parts + ["</svg>"]) + "\n"

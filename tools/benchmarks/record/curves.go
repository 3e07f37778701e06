package record

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
)

const (
	curveLeft   = 90 // in pixels
	curveHeight = 190
	legendStep  = 20
)

// curveStyle is the CSS of the curves. The curve of this library is solid, thick and blue, and each
// other curve has its own dashes.
const curveStyle = `<style>
.curve { fill: none; stroke: #6e7781; stroke-width: 1.5 } .c0 { stroke: #0b6bcb; stroke-width: 3 }
.c1 { stroke-dasharray: 7 3 } .c2 { stroke-dasharray: 2 3 } .c3 { stroke-dasharray: 9 3 2 3 } .c4 { stroke-dasharray: 14 4 }
.grid { stroke: #d0d7de; stroke-width: 1 } .tick { fill: #57606a; font-size: 11px }
@media (prefers-color-scheme: dark) { .curve { stroke: #9da7b3 } .c0 { stroke: #58a6ff }
.grid { stroke: #30363d } .tick { fill: #9da7b3 } }
</style>`

var roundTick = strings.NewReplacer(".00 ", " ", ".0 ", " ")

// An axis maps values to pixels on a logarithmic scale. least and most are the ends of the range of
// values, and from and to are the corresponding pixels.
type axis struct{ least, most, from, to float64 }

func (a axis) pixel(value float64) float64 {
	if a.most == a.least {
		return (a.from + a.to) / 2
	}
	return a.from + (math.Log(value)-math.Log(a.least))/(math.Log(a.most)-math.Log(a.least))*(a.to-a.from)
}

// plotGrowth draws the points of a growth as curves, one for each row. points must be sorted by
// size. There is a panel for the time and for each measure of memory. Both axes are logarithmic, so
// that a linear growth is a straight line.
func plotGrowth(points []Case) string {
	last := points[len(points)-1]
	rows := slices.MaxFunc(
		points, func(a, b Case) int { return cmp.Compare(len(a.Rows), len(b.Rows)) },
	).Rows // some points have fewer rows

	var body strings.Builder
	y := lines(&body, "title", last.Growth.Title, 90, plotMargin+12)
	for i, row := range rows {
		fmt.Fprintf(
			&body, "<path class=\"curve c%d\" d=\"M%d %dh40\"/><text x=\"%d\" y=\"%d\">%s</text>\n", i, plotMargin, y+2,
			plotMargin+50, y+6, escape(row.Name),
		)
		y += legendStep
	}

	for _, m := range plotMeasures {
		if m.curve {
			y = plotPanel(&body, points, rows, m, y)
		}
	}

	y = lines(
		&body, "note",
		fmt.Sprintf("Lower is better. Both axes are logarithmic. Medians of one run on %s, %s.", last.Run, last.Machine),
		120,
		y+20,
	)
	return fmt.Sprintf(
		"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%s\">\n%s\n%s\n%s</svg>\n",
		plotWidth,
		y,
		escape(growthDescription(points)),
		plotStyle,
		curveStyle,
		body.String(),
	)
}

// plotPanel draws the curves of one measure. It returns the vertical position below them. If no row
// has the measure, it draws nothing.
func plotPanel(w *strings.Builder, points []Case, rows []Row, m plotMeasure, top int) int {
	var values []float64
	for _, k := range points {
		for _, row := range k.Rows {
			if value := m.of(row); value > 0 {
				values = append(values, value)
			}
		}
	}

	if len(values) == 0 {
		return top
	}
	top += 14 // height of the title
	fmt.Fprintf(w, "<text class=\"note\" x=\"%d\" y=\"%d\">%s</text>\n", plotMargin, top, m.title)

	ticks := ticksAround(slices.Min(values), slices.Max(values), m.base)
	x := axis{
		least: float64(points[0].Growth.At),
		most:  float64(points[len(points)-1].Growth.At),
		from:  curveLeft,
		to:    plotWidth - 3*plotMargin,
	}
	// The y axis goes up, but the pixels are counted downward.
	y := axis{
		least: ticks[0],
		most:  ticks[len(ticks)-1],
		from:  float64(top + 12 + curveHeight),
		to:    float64(top + 12),
	}

	// Draw a horizontal line with a label for each tick of the y axis, and a label below each point.
	for _, tick := range ticks {
		fmt.Fprintf(
			w,
			"<path class=\"grid\" d=\"M%.0f %.1fH%.0f\"/><text class=\"tick\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n",
			x.from, y.pixel(tick), x.to, curveLeft-8, y.pixel(tick)+4, roundTick.Replace(m.text(tick)),
		)
	}

	for _, k := range points {
		fmt.Fprintf(
			w, "<text class=\"tick\" x=\"%.1f\" y=\"%.0f\" text-anchor=\"middle\">%s</text>\n",
			x.pixel(float64(k.Growth.At)),
			y.from+18, escape(k.Growth.Text),
		)
	}

	// The index of a row selects the style of its curve.
	for i, row := range rows {
		curve(w, points, i, row.Name, m, x, y)
	}
	return int(y.from) + 28
}

// curve draws the curve of one row in one panel.
func curve(w *strings.Builder, points []Case, class int, name string, m plotMeasure, x, y axis) {
	path := ""
	move := "M"
	for _, k := range points {
		i := slices.IndexFunc(k.Rows, func(r Row) bool { return r.Name == name })
		if i < 0 || m.of(k.Rows[i]) <= 0 {
			continue
		}
		path += fmt.Sprintf("%s%.1f %.1f", move, x.pixel(float64(k.Growth.At)), y.pixel(m.of(k.Rows[i])))
		move = "L"
	}
	fmt.Fprintf(w, "<path class=\"curve c%d\" d=\"%s\"/>\n", class, path)
}

// ticksAround returns consecutive powers of base. The range from the first power to the last power
// contains both given values.
func ticksAround(least, most, base float64) []float64 {
	tick := math.Pow(base, math.Floor(math.Log(least)/math.Log(base)))
	ticks := []float64{tick}
	for tick < most {
		tick *= base
		ticks = append(ticks, tick)
	}
	return ticks
}

// growthDescription returns a text that replaces the curves for readers who cannot see them.
func growthDescription(points []Case) string {
	parts := []string{points[0].Growth.Title}
	for _, k := range points {
		for _, row := range k.Rows {
			parts = append(parts, k.Growth.Text+", "+row.Name+": "+Nanos(row.Nanos))
		}
	}
	return strings.Join(parts, "; ")
}

package record

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"maps"
	"slices"
	"strings"
)

const (
	plotWidth  = 760 // in pixels
	plotMargin = 16
	barHeight  = 16
	barStep    = 22
	nameWidth  = 250
	valueWidth = 90
)

// A plotMeasure is a group of bars in a plot, such as the time or the CPU time. The field named
// "of" is a function that returns the value of a row. If the value was not measured, the function
// returns 0.
type plotMeasure struct {
	title string
	of    func(Row) float64
	text  func(float64) string
	curve bool    // true if plotGrowth also draws curves of this measure
	base  float64 // base of the logarithmic axis of the curve
}

var plotMeasures = []plotMeasure{
	{title: "time", of: func(r Row) float64 { return r.Nanos }, text: Nanos, curve: true, base: 10},
	{title: "CPU", of: func(r Row) float64 { return r.CPU }, text: Nanos},
	{
		title: "allocations",
		of:    func(r Row) float64 { return r.Allocs },
		text:  func(n float64) string { return fmt.Sprintf("%.0f", n) },
	},
	{title: "bytes allocated", of: func(r Row) float64 { return r.Bytes }, text: Size, curve: true, base: 16},
	{title: "heap at its peak", of: func(r Row) float64 { return r.PeakHeap }, text: Size, curve: true, base: 4},
	{title: "resident memory", of: func(r Row) float64 { return r.Resident }, text: Size, curve: true, base: 4},
	{title: "requests", of: sumOfRequests, text: func(n float64) string { return fmt.Sprintf("%.4g", n) }},
}

func sumOfRequests(r Row) (sum float64) {
	for n := range maps.Values(r.Requests) {
		sum += n
	}
	return sum
}

const plotStyle = `<style>
text { font: 13px system-ui, sans-serif; fill: #24292f } .title { font-weight: 600 }
.note { fill: #57606a; font-size: 11px } .bar { fill: #b6bec8 } .ours { fill: #0b6bcb } .value { fill: #57606a }
@media (prefers-color-scheme: dark) { text { fill: #d7dde4 } .note, .value { fill: #9da7b3 } .bar { fill: #4b5563 }
.ours { fill: #58a6ff } }
</style>`

// plot draws a case as horizontal bars. Each group of bars shows one measure, with a bar for each
// row. Shorter bars are better.
func plot(k Case) string {
	var body strings.Builder
	y := plotMargin + 12
	y = lines(&body, "title", k.Title, 90, y)
	for _, m := range plotMeasures {
		y = plotBars(&body, k, m, y)
	}
	y = lines(&body, "note", fmt.Sprintf("Shorter is better. Medians of one run on %s, %s.", k.Run, k.Machine), 120, y+16)
	return fmt.Sprintf(
		"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%s\">\n%s\n%s</svg>\n",
		plotWidth,
		y,
		escape(description(k)),
		plotStyle,
		body.String(),
	)
}

// plotBars draws a bar for each row that has a measure. The longest bar is as wide as the plot permits.
// It returns the vertical position below the bars. If no row has the measure, it draws nothing.
func plotBars(w *strings.Builder, k Case, m plotMeasure, y int) int {
	longest := slices.MaxFunc(k.Rows, func(a, b Row) int { return cmp.Compare(m.of(a), m.of(b)) })
	limit := m.of(longest)
	if limit <= 0 {
		return y
	}
	y += 8
	fmt.Fprintf(w, "<text class=\"note\" x=\"%d\" y=\"%d\">%s</text>\n", plotMargin, y, m.title)
	y += 8

	for _, row := range k.Rows {
		value := m.of(row)
		if value <= 0 {
			continue
		}
		class := "bar"
		if row.Name == k.Rows[0].Name {
			class = "bar ours"
		}
		length := max(1, value/limit*(plotWidth-2*plotMargin-nameWidth-valueWidth))
		fmt.Fprintf(
			w,
			"<text x=\"%d\" y=\"%d\">%s</text><rect class=\"%s\" x=\"%d\" y=\"%d\" width=\"%.0f\" height=\"%d\" rx=\"2\"/><text class=\"value\" x=\"%.0f\" y=\"%d\">%s</text>\n",
			plotMargin, y+barHeight-3, escape(shorten(row.Name, 38)), class, plotMargin+nameWidth, y, length,
			barHeight, plotMargin+nameWidth+length+6, y+barHeight-3, escape(m.text(value)),
		)
		y += barStep
	}
	return y + 6
}

// lines writes text in several lines. limit is the largest number of characters in a
// line. It returns the vertical position below the last line.
func lines(w *strings.Builder, class, text string, limit, y int) int {
	line := ""
	flush := func() {
		fmt.Fprintf(w, "<text class=\"%s\" x=\"%d\" y=\"%d\">%s</text>\n", class, plotMargin, y, escape(line))
		y += 18
	}
	for _, word := range strings.Fields(text) {
		if line != "" && len(line)+len(word) >= limit {
			flush()
			line = ""
		}
		line = strings.TrimSpace(line + " " + word)
	}
	flush()
	return y
}

func shorten(text string, limit int) string {
	if letters := []rune(text); len(letters) > limit {
		return string(letters[:limit-1]) + "…"
	}
	return text
}

// description returns a text that replaces the plot for readers who cannot see it.
func description(k Case) string {
	parts := []string{k.Title}
	for _, row := range k.Rows {
		parts = append(parts, row.Name+": "+Nanos(row.Nanos))
	}
	return strings.Join(parts, "; ")
}

func escape(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text))
	return b.String()
}

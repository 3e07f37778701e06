package record

import (
	"encoding/xml"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// measured is a case of two rows on one day.
func measured(name, title string) Case {
	return Case{
		Name:  name,
		Title: title,
		Run:   "2026-11-21",
		Rows: []Row{
			{Name: ours, Nanos: 1e6, CPU: 1e6, Allocs: 5, Bytes: 1024, Requests: map[string]float64{"PUT": 2}},
			{Name: "the other <one> & co", Nanos: 3e6, CPU: 1e6, Allocs: 10, Bytes: 2048},
		},
	}
}

const ours = "omnibucket"

// The plot of a case is XML with its times and its date. It leaves out what was not measured.
func TestPlotFitsItsFrame(t *testing.T) {
	svg := plot(measured("put", "1 KiB, put"))

	// The text is XML until its end.
	decoder := xml.NewDecoder(strings.NewReader(svg))
	for {
		_, err := decoder.Token()
		if err == io.EOF {
			break
		}
		require.NoError(t, err)
	}

	// It has the time and the escaped name of a row, and the date of the case.
	require.Contains(t, svg, "3.00 ms")
	require.Contains(t, svg, "the other &lt;one&gt; &amp; co")
	require.Contains(t, svg, "2026-11-21")

	require.NotContains(t, svg, "resident memory", "it was not measured")
}

// No bar is wider than the plot, even if the figures of a case are all below 1.
func TestBarsFitThePlot(t *testing.T) {
	c := Case{Rows: []Row{{Name: ours, Nanos: 1, Allocs: 0.3}, {Name: "other", Nanos: 1, Allocs: 0.9}}}
	widths := regexp.MustCompile(`<rect [^>]*width="([0-9.]+)"`)
	for _, match := range widths.FindAllStringSubmatch(plot(c), -1) {
		width, err := strconv.ParseFloat(match[1], 64)
		require.NoError(t, err)
		require.LessOrEqual(t, width, float64(plotWidth))
	}
}

// If a later run has some of the cases, Put replaces these and keeps the others.
func TestPutReplacesItsCasesOnly(t *testing.T) {
	dir := t.TempDir()
	first, err := Read(dir)
	require.NoError(t, err)
	first.Put(Case{Name: "a", Title: "old", Rows: []Row{{Name: ours, Nanos: 1}}})
	first.Put(Case{Name: "b", Title: "kept", Rows: []Row{{Name: ours, Nanos: 1}}})
	require.NoError(t, first.Write(dir))
	second, err := Read(dir)
	require.NoError(t, err)
	second.Put(Case{Name: "a", Title: "new", Rows: []Row{{Name: ours, Nanos: 1}}})
	require.NoError(t, second.Write(dir))

	third, err := Read(dir)
	require.NoError(t, err)
	require.Equal(t, "new", third.Cases[0].Title)
	require.Equal(t, "kept", third.Cases[1].Title)

	svg, err := os.ReadFile(filepath.Join(dir, "a.svg"))
	require.NoError(t, err)
	require.Contains(t, string(svg), "new")
}

// The cases of one growth make one plot, in which the time is a curve over the number of keys.
func TestPlotOfAGrowth(t *testing.T) {
	// List 1000, 100 and 10 keys. The order of the cases does not matter.
	cases := &File{}
	for _, keys := range []int{1000, 100, 10} {
		k := measured(fmt.Sprintf("list-%d", keys), "")
		k.Growth = &Growth{Name: "list", Title: "list all keys", At: keys, Text: fmt.Sprintf("%d keys", keys)}
		k.Rows[0].Nanos = float64(keys) * 1e3
		cases.Put(k)
	}
	plots := cases.plots()
	require.Len(t, plots, 1)

	// The plot is XML with the numbers of keys, the longest time and the names.
	svg := plots["list"]
	require.NoError(t, xml.Unmarshal([]byte(svg), &struct{}{}))
	texts := []string{
		">10 keys<", ">100 keys<", ">1000 keys<", ">1 ms<", ">time<", ">bytes allocated<", "the other &lt;one&gt;",
	}
	for _, text := range texts {
		require.Contains(t, svg, text)
	}
	require.NotContains(t, svg, "resident memory", "it was not measured")
	require.NotContains(t, svg, "NaN")
	require.NotContains(t, svg, "Inf")

	// The curve of our library has the class c0 and three points. It begins at the left edge, with the smallest case.
	curve := regexp.MustCompile(`c0" d="M([0-9.]+) ([0-9.]+)L([0-9.]+) ([0-9.]+)L([0-9.]+) ([0-9.]+)"`)
	points := curve.FindStringSubmatch(svg)
	require.NotNil(t, points)
	firstX := points[1]
	require.Equal(t, "90.0", firstX)
}

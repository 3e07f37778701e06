package main

import (
	"encoding/xml"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var (
	theirResult = &result{name: "the other <one> & co", nanos: []float64{3e6}, cpu: []float64{1e6}, allocs: []float64{10}, bytes: []float64{2048}}
	ourResult   = &result{name: ours, nanos: []float64{1e6}, cpu: []float64{1e6}, allocs: []float64{5}, bytes: []float64{1024}, requests: map[string]float64{"PUT": 2}}
)

func TestAPlotIsXMLThatFitsItsFrame(t *testing.T) {
	k := recordOf(benchCase{name: "put", title: "1 KiB, put"}, []*result{ourResult, theirResult}, time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC))
	svg := plot(k)
	decoder := xml.NewDecoder(strings.NewReader(svg))
	for {
		_, err := decoder.Token()
		if err == io.EOF {
			break
		}
		require.NoError(t, err)
	}
	require.Contains(t, svg, "3.00 ms")
	require.Contains(t, svg, "the other &lt;one&gt; &amp; co")
	require.Contains(t, svg, "2026-11-21")
	require.NotContains(t, svg, "resident memory", "it was not measured")
}

func TestALaterRunReplacesItsCasesOnly(t *testing.T) {
	dir := t.TempDir()
	first, err := readRecord(dir)
	require.NoError(t, err)
	first.put(caseRecord{Name: "a", Title: "old", Rows: []rowRecord{{Name: ours, Nanos: 1}}})
	first.put(caseRecord{Name: "b", Title: "kept", Rows: []rowRecord{{Name: ours, Nanos: 1}}})
	require.NoError(t, first.write(dir))
	second, err := readRecord(dir)
	require.NoError(t, err)
	second.put(caseRecord{Name: "a", Title: "new", Rows: []rowRecord{{Name: ours, Nanos: 1}}})
	require.NoError(t, second.write(dir))
	third, err := readRecord(dir)
	require.NoError(t, err)
	require.Equal(t, "new", third.Cases[0].Title)
	require.Equal(t, "kept", third.Cases[1].Title)
	svg, err := os.ReadFile(filepath.Join(dir, "a.svg"))
	require.NoError(t, err)
	require.Contains(t, string(svg), "new")
}

func TestAGrowthIsOnePlotOfAllItsSizes(t *testing.T) {
	all := &record{}
	for _, n := range []int{1000, 100, 10} { // in any order
		c := benchCase{name: fmt.Sprintf("list-%d", n), grows: &growth{"list", "list all keys", n, keyCount}}
		k := recordOf(c, []*result{ourResult, theirResult}, time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC))
		k.Rows[0].Nanos = float64(n) * 1e3
		all.put(k)
	}
	plots := all.plots()
	require.Len(t, plots, 1)
	svg := plots["list"]
	require.NoError(t, xml.Unmarshal([]byte(svg), &struct{}{}))
	for _, text := range []string{">10 keys<", ">100 keys<", ">1000 keys<", ">1 ms<", ">time<", ">bytes allocated<", "the other &lt;one&gt;"} {
		require.Contains(t, svg, text)
	}
	require.NotContains(t, svg, "resident memory", "it was not measured")
	require.NotContains(t, svg, "NaN")
	require.NotContains(t, svg, "Inf")
	line := regexp.MustCompile(`c0" d="M([0-9.]+) ([0-9.]+)L([0-9.]+) ([0-9.]+)L([0-9.]+) ([0-9.]+)"`).FindStringSubmatch(svg)
	require.NotNil(t, line, "ours has three points")
	require.Equal(t, "90.0", line[1], "the smallest is first")
}

func TestAGrowthThatIsSteeperThanLinearIsMissed(t *testing.T) {
	for _, row := range []struct {
		name  string
		cpu   map[int]float64 // seconds, by size
		want  string          // what is printed, without the goal
		wrong int
	}{
		{"linear", map[int]float64{1: 0.001, 10: 0.1, 100: 1, 1000: 10}, "exponent 1.00", 0},
		{"steeper at the end", map[int]float64{1: 0.01, 10: 0.1, 100: 1.2}, "exponent 1.08", 1},
		{"too short to be measured", map[int]float64{1: 0.001, 10: 0.002}, "", 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			var run []caseRecord
			for at, seconds := range row.cpu {
				run = append(run, caseRecord{Growth: &growthRecord{Name: "list", At: at}, Rows: []rowRecord{{Name: ours, CPU: seconds * 1e9}}})
			}
			var out strings.Builder
			require.Equal(t, row.wrong, reportGrowth(&out, run))
			require.Contains(t, out.String(), row.want)
		})
	}
}

// Package record stores the results of benchmarks in a file, and draws them as bars or curves.
package record

import (
	"cmp"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A File holds the latest results of each case.
type File struct {
	Cases []Case `json:"cases"`
}

// A Case holds the results of one case in its latest run.
type Case struct {
	Name     string            `json:"name"`
	Title    string            `json:"title"`
	Run      string            `json:"run"` // date of the run
	Machine  string            `json:"machine"`
	Versions map[string]string `json:"versions"` // versions of the compared libraries, by module
	Rows     []Row             `json:"rows"`     // the first is this library
	Growth   *Growth           `json:"growth,omitempty"`
}

// A Growth says to which curves a case belongs. Each case is one point of these curves.
type Growth struct {
	Name  string `json:"name"`
	Title string `json:"title"`
	At    int    `json:"at"`
	Text  string `json:"text"` // value of At with its unit
}

// A Row holds the medians of one contender, for one operation. A value is 0 if it was not measured.
type Row struct {
	Name     string             `json:"name"`
	Nanos    float64            `json:"nanos"`
	CPU      float64            `json:"cpuNanos"`
	Allocs   float64            `json:"allocs"`
	Bytes    float64            `json:"bytes"`
	PeakHeap float64            `json:"peakHeap,omitempty"` // growth of the heap in bytes
	Resident float64            `json:"resident,omitempty"` // growth of the resident memory in bytes
	Requests map[string]float64 `json:"requests,omitempty"`
	Received float64            `json:"received,omitempty"` // bytes in the responses
}

const recordFile = "results.json"

// Read reads the results in a directory. If the directory has no results, it returns an empty File.
func Read(dir string) (*File, error) {
	r := &File{}
	data, err := os.ReadFile(filepath.Join(dir, recordFile))
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return nil, err
	}
	return r, json.Unmarshal(data, r)
}

// Put adds the results of a case, and removes earlier results of that case. It keeps the results of
// other cases, so that slow cases can run on different days.
func (r *File) Put(k Case) {
	r.Cases = slices.DeleteFunc(r.Cases, func(old Case) bool { return old.Name == k.Name })
	r.Cases = append(r.Cases, k)
	slices.SortFunc(r.Cases, func(a, b Case) int { return strings.Compare(a.Name, b.Name) })
}

// Write writes the results to a directory, with a plot of each case and each growth.
func (r *File) Write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	data, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	errs := []error{os.WriteFile(filepath.Join(dir, recordFile), append(data, '\n'), 0o644)}
	for name, svg := range r.plots() {
		errs = append(errs, os.WriteFile(filepath.Join(dir, name+".svg"), []byte(svg), 0o644))
	}
	return errors.Join(errs...)
}

// plots returns the SVG of all plots by the name of the plot.
func (r *File) plots() map[string]string {
	plots := map[string]string{}
	for _, k := range r.Cases {
		if k.Growth == nil {
			plots[k.Name] = plot(k)
		}
	}
	for name, points := range Growing(r.Cases) {
		plots[name] = plotGrowth(points)
	}
	return plots
}

// Growing returns the cases that belong to a curve ([Growth]), by the name of the curve. The cases
// of a curve are sorted by size.
func Growing(run []Case) map[string][]Case {
	all := map[string][]Case{}
	for _, k := range run {
		if k.Growth != nil {
			all[k.Growth.Name] = append(all[k.Growth.Name], k)
		}
	}
	for _, points := range all {
		slices.SortFunc(points, func(a, b Case) int { return cmp.Compare(a.Growth.At, b.Growth.At) })
	}
	return all
}

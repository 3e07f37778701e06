// Package record keeps the results of benchmarks in a file, and draws them as bars or curves.
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

// A File has the raw results of runs, for the plots and for whoever compares.
type File struct {
	Cases []Case `json:"cases"`
}

// A Case is one case of one run.
type Case struct {
	Name     string            `json:"name"`
	Title    string            `json:"title"`
	Run      string            `json:"run"` // date
	Machine  string            `json:"machine"`
	Versions map[string]string `json:"versions"` // of the peers' modules
	Rows     []Row             `json:"rows"`     // ours first
	Growth   *Growth           `json:"growth,omitempty"`
}

// A Growth says of which curves the case is a point.
type Growth struct {
	Name  string `json:"name"`
	Title string `json:"title"`
	At    int    `json:"at"`
	Text  string `json:"text"` // At with its unit
}

// A Row has medians for an operation. A figure is 0 if it was not measured.
type Row struct {
	Name     string             `json:"name"`
	Nanos    float64            `json:"nanos"`
	CPU      float64            `json:"cpuNanos"`
	Allocs   float64            `json:"allocs"`
	Bytes    float64            `json:"bytes"`
	PeakHeap float64            `json:"peakHeap,omitempty"` // bytes above the start
	Resident float64            `json:"resident,omitempty"` // bytes above the start
	Requests map[string]float64 `json:"requests,omitempty"`
	Received float64            `json:"received,omitempty"` // bytes of responses
}

const recordFile = "results.json"

// Read returns the file of a directory, which is empty if there is none.
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

// Put replaces the case of the same name, so that long cases may run on another day.
func (r *File) Put(k Case) {
	r.Cases = slices.DeleteFunc(r.Cases, func(old Case) bool { return old.Name == k.Name })
	r.Cases = append(r.Cases, k)
	slices.SortFunc(r.Cases, func(a, b Case) int { return strings.Compare(a.Name, b.Name) })
}

// Write stores the results, and a plot of each case or of each growth.
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

// plots returns all plots by their names.
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

// Growing returns the points of each growth, the smallest first.
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

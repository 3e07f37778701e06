package main

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// A record is the raw results of runs, for the plots and for whoever compares.
type record struct {
	Cases []caseRecord `json:"cases"`
}

// A caseRecord is one case of one run.
type caseRecord struct {
	Name     string            `json:"name"`
	Title    string            `json:"title"`
	Run      string            `json:"run"` // date
	Machine  string            `json:"machine"`
	Versions map[string]string `json:"versions"` // of the peers' modules
	Rows     []rowRecord       `json:"rows"`     // ours first
	Growth   *growthRecord     `json:"growth,omitempty"`
}

// A growthRecord says of which curves the case is a point.
type growthRecord struct {
	Name  string `json:"name"`
	Title string `json:"title"`
	At    int    `json:"at"`
	Text  string `json:"text"` // At with its unit
}

// A rowRecord has medians for an operation. A figure is 0 if it was not measured.
type rowRecord struct {
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

func recordOf(c benchCase, results []*result, now time.Time) caseRecord {
	k := caseRecord{Name: c.name, Title: c.title, Run: now.Format(time.DateOnly), Machine: machine(), Versions: versions()}
	if g := c.grows; g != nil {
		k.Growth = &growthRecord{Name: g.name, Title: g.title, At: g.at, Text: g.unit(g.at)}
	}
	for _, r := range results {
		row := rowRecord{Name: r.name, Nanos: median(r.nanos), PeakHeap: r.peak, Requests: r.requests, Received: r.received}
		if r.resident != nil {
			row.Resident = median(r.resident)
		}
		if r.peak == 0 {
			row.CPU = median(r.cpu)
		}
		if r.peak == 0 && r.resident == nil { // else a child measured, which counts no allocations
			row.Allocs, row.Bytes = median(r.allocs), median(r.bytes)
		}
		k.Rows = append(k.Rows, row)
	}
	return k
}

// peers are the modules whose versions a record names.
var peers = []string{
	"gocloud.dev", "github.com/apache/iceberg-go", "github.com/thanos-io/objstore", "github.com/tus/tusd/v2", "modernc.org/sqlite", "github.com/minio/minio-go/v7", "github.com/aws/aws-sdk-go-v2/",
	"cloud.google.com/go/storage", "github.com/Azure/azure-sdk-for-go/sdk/storage/azblob",
}

func versions() map[string]string {
	found := map[string]string{}
	info, _ := debug.ReadBuildInfo()
	if info == nil {
		return found
	}
	for _, m := range info.Deps {
		if slices.ContainsFunc(peers, func(peer string) bool { return strings.HasPrefix(m.Path, peer) }) {
			found[m.Path] = m.Version
		}
	}
	return found
}

const recordFile = "results.json"

func readRecord(dir string) (*record, error) {
	r := &record{}
	data, err := os.ReadFile(filepath.Join(dir, recordFile))
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return nil, err
	}
	return r, json.Unmarshal(data, r)
}

// put replaces the case of the same name, so that long cases may run on another day.
func (r *record) put(k caseRecord) {
	r.Cases = slices.DeleteFunc(r.Cases, func(old caseRecord) bool { return old.Name == k.Name })
	r.Cases = append(r.Cases, k)
	slices.SortFunc(r.Cases, func(a, b caseRecord) int { return strings.Compare(a.Name, b.Name) })
}

// write stores the record, and a plot of each case or of each growth.
func (r *record) write(dir string) error {
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
func (r *record) plots() map[string]string {
	plots := map[string]string{}
	for _, k := range r.Cases {
		if k.Growth == nil {
			plots[k.Name] = plot(k)
		}
	}
	for name, points := range growing(r.Cases) {
		plots[name] = plotGrowth(points)
	}
	return plots
}

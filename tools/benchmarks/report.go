package main

import (
	"fmt"
	"io"
	"maps"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/omnibucket/storage/tools/benchmarks/record"
)

// A goal is a requirement of a case. check receives the results by the name of the row. It returns
// the measured value, and whether the value meets the goal.
type goal struct {
	text  string
	check func(rows map[string]*result) (seen string, met bool)
}

// asFast requires that this library is at least factor times as fast as the row named other.
func asFast(other string, factor float64) goal {
	return goal{
		fmt.Sprintf("at least %g × as fast as %s", factor, other),
		func(rows map[string]*result) (string, bool) {
			value := ratio(rows[other].nanos, rows[ours].nanos)
			return fmt.Sprintf("%.3g ×", value), value >= factor
		},
	}
}

// within limits the time of this library. The limit is the time of another row, multiplied by the
// given factor. The first argument is the name of the other row.
func within(other string, factor float64) goal {
	return goal{
		fmt.Sprintf("at most %g × the time of %s", factor, other),
		func(rows map[string]*result) (string, bool) {
			value := ratio(rows[ours].nanos, rows[other].nanos)
			return fmt.Sprintf("%.3g ×", value), value <= factor
		},
	}
}

// allocations requires that this library makes at most n allocations per operation.
func allocations(n float64) goal {
	return goal{fmt.Sprintf("at most %g allocations", n), func(rows map[string]*result) (string, bool) {
		value := median(rows[ours].allocs)
		return fmt.Sprintf("%.1f", value), value < n+0.5
	}}
}

// moreThan limits how much more a row allocates per operation than another row. The parameters one
// and other are the names of the rows. allocs limits the number of allocations. The
// parameter bytes limits their total size.
func moreThan(one, other string, allocs, bytes float64) goal {
	return goal{
		fmt.Sprintf("%s: at most %g allocations and %g B more than %s", one, allocs, bytes, other),
		func(rows map[string]*result) (string, bool) {
			a := median(rows[one].allocs) - median(rows[other].allocs)
			b := median(rows[one].bytes) - median(rows[other].bytes)
			return fmt.Sprintf("%+.1f, %+.0f B", a, b), a < allocs+0.5 && b < bytes+0.5
		},
	}
}

// bytesAtMost requires that this library allocates at most that many bytes per operation.
func bytesAtMost(limit float64) goal {
	return goal{fmt.Sprintf("allocates at most %s", record.Size(limit)), func(rows map[string]*result) (string, bool) {
		value := median(rows[ours].bytes)
		return record.Size(value), value <= limit
	}}
}

// bytesOf limits how many bytes this library allocates per operation. The limit is the product of
// bytes and factor.
func bytesOf(bytes, factor float64) goal {
	return goal{
		fmt.Sprintf("allocates at most %g × its %s", factor, record.Size(bytes)),
		func(rows map[string]*result) (string, bool) {
			value := median(rows[ours].bytes) / bytes
			return fmt.Sprintf("%.3g ×", value), value <= factor
		},
	}
}

// report prints the results of a case, and returns the number of missed goals.
func report(w io.Writer, c benchCase, results []*result) (missed int) {
	fmt.Fprintf(w, "\n%s: %s\n", c.name, c.title)

	// In the table, the first row is this library.
	byName := map[string]*result{}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "time/op\tCPU/op\tallocs/op\tB/op\ttime ÷ ours\tCPU ÷ ours\t \t")
	for _, r := range results {
		byName[r.name] = r
		allocs := fmt.Sprintf("%.1f", median(r.allocs))
		bytes := fmt.Sprintf("%.0f", median(r.bytes))
		cpu := record.Nanos(median(r.cpu))
		cpuRatio := fmt.Sprintf("%.2f", ratio(r.cpu, results[0].cpu))

		if !r.hasAllocs() {
			allocs = "-"
			bytes = "-"
		}
		if !r.hasCPU() {
			cpu = "-"
			cpuRatio = "-"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%.2f\t%s\t  %s\t\n",
			record.Nanos(median(r.nanos)), cpu, allocs, bytes, ratio(r.nanos, results[0].nanos), cpuRatio, r.name)
	}

	_ = table.Flush()
	for _, r := range results {
		if r.requests != nil {
			fmt.Fprintf(w, "  %s: %s\n", r.name, usage(r))
		}
	}

	for _, r := range results {
		if r.peak > 0 {
			fmt.Fprintf(w, "  %s: heap at its peak %s above the start\n", r.name, record.Size(r.peak))
		}
	}

	for _, g := range c.goals {
		value, met := g.check(byName)
		verdict := "met"
		if !met {
			verdict = "MISSED"
			missed++
		}
		fmt.Fprintf(w, "  goal: %s; seen: %s: %s\n", g.text, value, verdict)
	}
	return missed
}

// usage returns a text with the memory and the traffic of a row.
func usage(r *result) string {
	var words []string
	if median(r.resident) > 0 {
		words = append(words, record.Size(median(r.resident))+" resident above the start at most")
	}
	for _, operation := range slices.Sorted(maps.Keys(r.requests)) {
		words = append(words, fmt.Sprintf("%.4g %s", r.requests[operation], operation))
	}
	if r.received > 0 {
		words = append(words, record.Size(r.received)+" received")
	}
	return strings.Join(words, ", ")
}

func machine() string {
	return fmt.Sprintf("%s %s/%s, %d processors", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0))
}

// recordOf returns the medians of a case, in the form for package record.
func recordOf(c benchCase, results []*result, now time.Time) record.Case {
	k := record.Case{
		Name:     c.name,
		Title:    c.title,
		Run:      now.Format(time.DateOnly),
		Machine:  machine(),
		Versions: versions(),
	}

	if g := c.grows; g != nil {
		k.Growth = &record.Growth{Name: g.name, Title: g.title, At: g.at, Text: g.unit(g.at)}
	}

	for _, r := range results {
		row := record.Row{
			Name:     r.name,
			Nanos:    median(r.nanos),
			PeakHeap: r.peak,
			Requests: r.requests,
			Received: r.received,
		}

		if r.resident != nil {
			row.Resident = median(r.resident)
		}
		if r.hasCPU() {
			row.CPU = median(r.cpu)
		}
		if r.hasAllocs() {
			row.Allocs = median(r.allocs)
			row.Bytes = median(r.bytes)
		}
		k.Rows = append(k.Rows, row)
	}
	return k
}

// peers lists the modules with which this library is compared. Their versions are recorded with the
// results. A path that ends in a slash includes all modules below it.
var peers = []string{
	"gocloud.dev", "github.com/apache/iceberg-go", "github.com/thanos-io/objstore", "github.com/tus/tusd/v2", "modernc.org/sqlite", "github.com/minio/minio-go/v7", "github.com/aws/aws-sdk-go-v2/",
	"cloud.google.com/go/storage", "github.com/Azure/azure-sdk-for-go/sdk/storage/azblob",
}

// versions returns the versions of the peers, which are the other libraries, by their module paths.
func versions() map[string]string {
	modules := map[string]string{}
	info, _ := debug.ReadBuildInfo()
	if info == nil {
		return modules
	}
	for _, m := range info.Deps {
		if slices.ContainsFunc(peers, func(peer string) bool { return strings.HasPrefix(m.Path, peer) }) {
			modules[m.Path] = m.Version
		}
	}
	return modules
}

package main

import (
	"fmt"
	"io"
	"maps"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// A goal is a promise about a case: check says what was seen, and whether that
// is enough. Results are found by the row's name.
type goal struct {
	text  string
	check func(rows map[string]*result) (seen string, met bool)
}

// asFast: ours takes at most 1/factor of the time of the other.
func asFast(other string, factor float64) goal {
	return goal{fmt.Sprintf("at least %g × as fast as %s", factor, other), func(rows map[string]*result) (string, bool) {
		seen := ratio(rows[other].nanos, rows[ours].nanos)
		return fmt.Sprintf("%.3g ×", seen), seen >= factor
	}}
}

// within: ours takes at most factor times the time of the other.
func within(other string, factor float64) goal {
	return goal{fmt.Sprintf("at most %g × the time of %s", factor, other), func(rows map[string]*result) (string, bool) {
		seen := ratio(rows[ours].nanos, rows[other].nanos)
		return fmt.Sprintf("%.3g ×", seen), seen <= factor
	}}
}

// allocations: ours makes at most n for one operation.
func allocations(n float64) goal {
	return goal{fmt.Sprintf("at most %g allocations", n), func(rows map[string]*result) (string, bool) {
		seen := median(rows[ours].allocs)
		return fmt.Sprintf("%.1f", seen), seen < n+0.5
	}}
}

// moreThan: one row allocates at most so much more than the other.
func moreThan(one, other string, allocs, bytes float64) goal {
	return goal{fmt.Sprintf("%s: at most %g allocations and %g B more than %s", one, allocs, bytes, other), func(rows map[string]*result) (string, bool) {
		a := median(rows[one].allocs) - median(rows[other].allocs)
		b := median(rows[one].bytes) - median(rows[other].bytes)
		return fmt.Sprintf("%+.1f, %+.0f B", a, b), a < allocs+0.5 && b < bytes+0.5
	}}
}

// bytesAtMost: ours allocates at most so many for one operation.
func bytesAtMost(most float64) goal {
	return goal{fmt.Sprintf("allocates at most %s", size(most)), func(rows map[string]*result) (string, bool) {
		seen := median(rows[ours].bytes)
		return size(seen), seen <= most
	}}
}

// bytesOf: ours allocates at most factor times so many bytes for one operation.
func bytesOf(bytes, factor float64) goal {
	return goal{fmt.Sprintf("allocates at most %g × its %s", factor, size(bytes)), func(rows map[string]*result) (string, bool) {
		seen := median(rows[ours].bytes) / bytes
		return fmt.Sprintf("%.3g ×", seen), seen <= factor
	}}
}

// report prints a case; it returns how many goals were missed.
func report(w io.Writer, c benchCase, results []*result) (missed int) {
	fmt.Fprintf(w, "\n%s: %s\n", c.name, c.title)
	byName := map[string]*result{}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "time/op\tCPU/op\tallocs/op\tB/op\ttime ÷ ours\tCPU ÷ ours\t \t")
	for _, r := range results {
		byName[r.name] = r
		allocs, bytes := fmt.Sprintf("%.1f", median(r.allocs)), fmt.Sprintf("%.0f", median(r.bytes))
		cpu, cpuRatio := nanos(median(r.cpu)), fmt.Sprintf("%.2f", ratio(r.cpu, results[0].cpu))
		if r.peak > 0 || r.resident != nil { // it ran elsewhere
			allocs, bytes = "-", "-"
		}
		if r.peak > 0 {
			cpu, cpuRatio = "-", "-"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%.2f\t%s\t  %s\t\n",
			nanos(median(r.nanos)), cpu, allocs, bytes, ratio(r.nanos, results[0].nanos), cpuRatio, r.name)
	}
	_ = table.Flush()
	for _, r := range results {
		if r.requests != nil {
			fmt.Fprintf(w, "  %s: %s\n", r.name, asked(r))
		}
	}
	for _, r := range results {
		if r.peak > 0 {
			fmt.Fprintf(w, "  %s: heap at its peak %s above the start\n", r.name, size(r.peak))
		}
	}
	for _, g := range c.goals {
		seen, met := g.check(byName)
		verdict := "met"
		if !met {
			verdict = "MISSED"
			missed++
		}
		fmt.Fprintf(w, "  goal: %s; seen: %s: %s\n", g.text, seen, verdict)
	}
	return missed
}

// asked is what a row took of a server, and of memory, in words.
func asked(r *result) string {
	var words []string
	if r.resident != nil {
		words = append(words, size(median(r.resident))+" resident above the start at most")
	}
	for _, operation := range slices.Sorted(maps.Keys(r.requests)) {
		words = append(words, fmt.Sprintf("%.4g %s", r.requests[operation], operation))
	}
	return strings.Join(words, ", ")
}

func nanos(n float64) string {
	switch d := time.Duration(n); {
	case d < time.Microsecond:
		return fmt.Sprintf("%.1f ns", n)
	case d < time.Millisecond:
		return fmt.Sprintf("%.2f µs", n/1e3)
	case d < time.Second:
		return fmt.Sprintf("%.2f ms", n/1e6)
	default:
		return fmt.Sprintf("%.2f s", n/1e9)
	}
}

func size(bytes float64) string {
	switch {
	case bytes < 1<<10:
		return fmt.Sprintf("%.0f B", bytes)
	case bytes < 1<<20:
		return fmt.Sprintf("%.0f KiB", bytes/(1<<10))
	default:
		return fmt.Sprintf("%.1f MiB", bytes/(1<<20))
	}
}

func machine() string {
	return fmt.Sprintf("%s %s/%s, %d processors", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0))
}

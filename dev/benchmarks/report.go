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

// A goal is a requirement of a case. check returns the measured value, and whether it
// meets the goal. Results are found by the name of the row.
type goal struct {
	text  string
	check func(rows map[string]*result) (seen string, met bool)
}

// asFast requires that ours takes at most 1/factor of the other's time.
func asFast(other string, factor float64) goal {
	return goal{fmt.Sprintf("at least %g × as fast as %s", factor, other), func(rows map[string]*result) (string, bool) {
		seen := ratio(rows[other].nanos, rows[ours].nanos)
		return fmt.Sprintf("%.3g ×", seen), seen >= factor
	}}
}

// within requires that ours takes at most factor times the other's time.
func within(other string, factor float64) goal {
	return goal{fmt.Sprintf("at most %g × the time of %s", factor, other), func(rows map[string]*result) (string, bool) {
		seen := ratio(rows[ours].nanos, rows[other].nanos)
		return fmt.Sprintf("%.3g ×", seen), seen <= factor
	}}
}

// allocations requires that ours makes at most n allocations per operation.
func allocations(n float64) goal {
	return goal{fmt.Sprintf("at most %g allocations", n), func(rows map[string]*result) (string, bool) {
		seen := median(rows[ours].allocs)
		return fmt.Sprintf("%.1f", seen), seen < n+0.5
	}}
}

// moreThan requires that one row allocates at most that much more than the other.
func moreThan(one, other string, allocs, bytes float64) goal {
	return goal{fmt.Sprintf("%s: at most %g allocations and %g B more than %s", one, allocs, bytes, other), func(rows map[string]*result) (string, bool) {
		a := median(rows[one].allocs) - median(rows[other].allocs)
		b := median(rows[one].bytes) - median(rows[other].bytes)
		return fmt.Sprintf("%+.1f, %+.0f B", a, b), a < allocs+0.5 && b < bytes+0.5
	}}
}

// bytesAtMost requires that ours allocates at most that many bytes per operation.
func bytesAtMost(most float64) goal {
	return goal{fmt.Sprintf("allocates at most %s", size(most)), func(rows map[string]*result) (string, bool) {
		seen := median(rows[ours].bytes)
		return size(seen), seen <= most
	}}
}

// bytesOf requires that ours allocates at most factor times that many bytes per
// operation.
func bytesOf(bytes, factor float64) goal {
	return goal{fmt.Sprintf("allocates at most %g × its %s", factor, size(bytes)), func(rows map[string]*result) (string, bool) {
		seen := median(rows[ours].bytes) / bytes
		return fmt.Sprintf("%.3g ×", seen), seen <= factor
	}}
}

// report prints a case and returns the number of missed goals.
func report(w io.Writer, c benchCase, results []*result) (missed int) {
	fmt.Fprintf(w, "\n%s: %s\n", c.name, c.title)
	byName := map[string]*result{}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "time/op\tCPU/op\tallocs/op\tB/op\ttime ÷ ours\tCPU ÷ ours\t \t")
	for _, r := range results {
		byName[r.name] = r
		allocs, bytes := fmt.Sprintf("%.1f", median(r.allocs)), fmt.Sprintf("%.0f", median(r.bytes))
		cpu, cpuRatio := nanos(median(r.cpu)), fmt.Sprintf("%.2f", ratio(r.cpu, results[0].cpu))
		if r.peak > 0 || r.resident != nil { // measured by a child
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
			fmt.Fprintf(w, "  %s: %s\n", r.name, usage(r))
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

// usage returns the memory and traffic of a row as text.
func usage(r *result) string {
	var words []string
	if median(r.resident) > 0 {
		words = append(words, size(median(r.resident))+" resident above the start at most")
	}
	for _, operation := range slices.Sorted(maps.Keys(r.requests)) {
		words = append(words, fmt.Sprintf("%.4g %s", r.requests[operation], operation))
	}
	if r.received > 0 {
		words = append(words, size(r.received)+" received")
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

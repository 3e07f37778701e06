package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"

	transfertypes "github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager/types"

	"github.com/omnibucket/storage/tools/benchmarks/record"
)

// steepest is the largest permitted exponent of a growth. If the CPU time grows in proportion to
// the amount, the exponent is 1.
const steepest = 1.05

// A growth says to which curve a case belongs. Each case is one point of the curve.
type growth struct {
	name, title string
	at          int // size at this point of the curve, such as the number of keys
	unit        func(int) string
}

func (g growth) caseName() string { return fmt.Sprintf("%s-%d", g.name, g.at) }

func (g growth) caseTitle() string { return g.title + ": " + g.unit(g.at) }

func keyCount(n int) string { return fmt.Sprintf("%d keys", n) }

func byteCount(n int) string {
	for _, unit := range []string{"B", "KiB", "MiB"} {
		if n < kilobyte {
			return fmt.Sprintf("%d %s", n, unit)
		}
		n /= kilobyte
	}
	return fmt.Sprintf("%d GiB", n)
}

func transferCount(n int) string { return fmt.Sprintf("%d at once", n) }

// growthTransfers returns cases that repeat a transfer with larger objects, or with more objects at
// the same time.
func growthTransfers() []clientCase {
	const where = ", over plain http on one machine"
	up := []contender{s3Ours, s3Manager, s3Parts, s3GoCloud, s3Minio.onlyOnce()}
	down := []contender{
		s3Ours, s3Raw, s3TransferManager(transferRanges, transfertypes.GetObjectRanges), s3GoCloud, s3Minio,
	}

	var all []clientCase
	add := func(g growth, do work, amount int, contenders []contender, memory float64) {
		all = append(all, clientCase{
			provider:   amazon,
			name:       g.caseName(),
			title:      g.caseTitle(),
			grows:      &g,
			server:     nearPlain,
			do:         do,
			amount:     amount,
			contenders: contenders,
			goals:      []goal{memoryAtMost(ours, memory)},
		})
	}

	// In an upload of 64 GiB, the last parts have 40 MiB each. The limit inParts is enough for two
	// parts of that size and for the same amount of garbage.
	const inParts = 160 * mebibyte
	sizes := []int{
		kilobyte, mebibyte, 16 * mebibyte, 64 * mebibyte, 256 * mebibyte, 1024 * mebibyte, 8192 * mebibyte, 65536 * mebibyte,
	}
	for _, n := range sizes {
		up, down := up, down
		if n > 1024*mebibyte {
			// These sizes take long, so only this library runs.
			up = []contender{s3Ours.onlyOnce()}
			down = []contender{s3Ours.onlyOnce()}
		}
		upload := growth{"growth-upload", "upload one object of unknown length" + where, n, byteCount}
		add(upload, uploadStream, n, up, inParts)
		read := growth{"growth-download", "read one object in order" + where, n, byteCount}
		add(read, download, n, down, inParts)
	}

	const each, limit = 4 * mebibyte, 64 * mebibyte
	for _, n := range []int{1, 10, 100, 1000} {
		// 256 KiB is the memory of one connection, with its request and its goroutines at both
		// ends.
		memory := 128*mebibyte + float64(n)*(256<<10)
		uploaders := []contender{amazon.ours(ours, tuning{memory: limit})}
		if n <= 100 {
			// With more uploads, the manager of the SDK would take gigabytes.
			uploaders = append(uploaders, s3Manager)
		}
		uploads := growth{
			"growth-uploads",
			"uploads of 4 MiB and unknown length at once, ours with a BufferLimit of " + record.Size(limit) + where,
			n,
			transferCount,
		}
		add(uploads, uploadsAtOnce(n), n*each, uploaders, memory)

		downloads := growth{"growth-downloads", "downloads of 4 MiB at once" + where, n, transferCount}
		add(downloads, downloadsAtOnce(n), n*each, []contender{s3Ours, s3Plain, s3Raw}, memory)
	}
	return all
}

// uploadsAtOnce returns a work that uploads n bytes of unknown length, divided among several
// objects at the same time.
func uploadsAtOnce(objects int) work {
	return func(ctx context.Context, c client, n int) error {
		count := atOnce(objects, n)
		return together(count, func(i int) error {
			body := struct{ io.Reader }{io.NewSectionReader(zeros{}, 0, int64(n/count))}
			return c.upload(ctx, key(i), body, -1)
		})
	}
}

// downloadsAtOnce returns a work that downloads n bytes, divided among several objects at the same
// time.
func downloadsAtOnce(objects int) work {
	return func(ctx context.Context, c client, n int) error {
		count := atOnce(objects, n)
		return together(count, func(int) error { return download(ctx, c, n/count) })
	}
}

// atOnce returns how many objects an operation of n bytes transfers at the same time. A measured
// operation transfers the given number of objects. A small operation of one kilobyte runs before
// the measured operation, and transfers only one object.
//
// So the small operation opens only one connection. Otherwise it would leave up to 100 idle
// connections. A measured operation with up to 100 objects would then open no connection, and one
// with more objects would open the rest. Their results could not be compared.
func atOnce(objects, n int) int { return min(objects, n/kilobyte) }

// reportGrowth prints the exponent with which the CPU time of each row grows. It returns how many
// exponents of this library are too large. The rows of other libraries show how much the system
// itself contributes.
func reportGrowth(w io.Writer, run []record.Case) (missed int) {
	all := record.Growing(run)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		points := all[name]
		for i, row := range points[0].Rows {
			exponent, measured := steepness(points, row.Name)
			if !measured {
				continue
			}
			// The first row is this library, and only that has a goal.
			isOurs := i == 0
			if !isOurs {
				fmt.Fprintf(w, "  %s: %.2f\n", row.Name, exponent)
				continue
			}
			verdict := "met"
			if exponent > steepest {
				verdict = "MISSED"
				missed++
			}
			fmt.Fprintf(
				w, "\n%s: CPU grows with exponent %.2f; goal: at most %g: %s\n", name, exponent, steepest,
				verdict,
			)
		}
	}
	return missed
}

// steepness returns the exponent with which the CPU time of a row grows. It compares the last point
// with the first point that takes at least 50 ms of CPU time. In smaller points, the fixed cost of
// an operation would hide the growth.
func steepness(points []record.Case, row string) (exponent float64, measured bool) {
	const enough = 50e6 // nanoseconds
	var large []record.Case
	for _, k := range points {
		if cpuOf(k, row) >= enough {
			large = append(large, k)
		}
	}
	if len(large) < 2 {
		return 0, false
	}
	first := large[0]
	last := large[len(large)-1]
	moreCPU := cpuOf(last, row) / cpuOf(first, row)
	moreWork := float64(last.Growth.At) / float64(first.Growth.At)
	return math.Log(moreCPU) / math.Log(moreWork), true
}

// cpuOf returns the CPU time of a row, or 0 if the case has no such row.
func cpuOf(k record.Case, row string) float64 {
	i := slices.IndexFunc(k.Rows, func(r record.Row) bool { return r.Name == row })
	if i < 0 {
		return 0
	}
	return k.Rows[i].CPU
}

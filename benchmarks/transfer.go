package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"runtime/pprof"
	"slices"
	"strings"
	"time"

	"github.com/omnibucket/storage/benchmarks/nullserver"
)

// A transferCase moves much in few operations, each contender in a process of
// its own: its peak memory and its processor time are nobody else's.
type transferCase struct {
	name, title string
	server      nullserver.Options // one for S3, where at is nil
	at          func(*env) (url string, err error)
	bytes       int64
	rows        []transferRow
	goals       []goal
}

// A transferRow is one contender: open prepares it, with the server's URL, and
// move is one operation of so many bytes.
type transferRow struct {
	name string
	open func(ctx context.Context, url string) (move func(ctx context.Context, bytes int64) error, err error)
	once bool
}

// inProcesses makes ordinary cases of them.
func inProcesses(cases []transferCase) []benchCase {
	var all []benchCase
	for _, c := range cases {
		ordinary := benchCase{name: c.name, title: c.title, goals: c.goals}
		for _, r := range c.rows {
			ordinary.rows = append(ordinary.rows, row{name: r.name, setup: transferring(c, r.name), once: r.once, single: true})
		}
		all = append(all, ordinary)
	}
	return all
}

// A transferOrder is what a child reads from its standard input. Profile is a
// file to write where it computes, or "".
type transferOrder struct{ Case, Row, URL, Profile string }

// profiles is the directory for the children's profiles, or "": the flag's.
var profiles string

func profile(c, name string) string {
	if profiles == "" {
		return ""
	}
	return filepath.Join(profiles, strings.NewReplacer(" ", "-", "/", "-", ",", "").Replace(c+"."+name)+".pprof")
}

// start is the URL of the case's server.
func (c transferCase) start(e *env) (string, error) {
	if c.at == nil {
		return e.server(c.server)
	}
	return c.at(e)
}

func transferring(c transferCase, name string) func(*env) (func(int) error, error) {
	return func(e *env) (func(int) error, error) {
		url, err := c.start(e)
		return func(int) error {
			cmd, err := e.child(childTransfer)
			if err != nil {
				return err
			}
			in, err := cmd.StdinPipe()
			if err != nil {
				return err
			}
			out, err := cmd.StdoutPipe()
			if err != nil {
				return err
			}
			if err := cmd.Start(); err != nil {
				return err
			}
			var t told
			err = errors.Join(writeJSON(in, transferOrder{c.name, name, url, profile(c.name, name)}), readJSON(out, &t))
			e.told[name] = &t
			return errors.Join(err, in.Close(), cmd.Wait())
		}, err
	}
}

// runTransfer is the child: one small operation, so that what every first one
// takes is not this one's, and the one that counts.
func runTransfer(in io.Reader, out io.Writer) error {
	var order transferOrder
	if err := readJSON(in, &order); err != nil {
		return err
	}
	c, r, err := ordered(order)
	if err != nil {
		return err
	}
	ctx := context.Background()
	move, err := r.open(ctx, order.URL)
	if err != nil {
		return err
	}
	if err := move(ctx, kilobyte); err != nil {
		return fmt.Errorf("the first, small operation: %w", err)
	}
	op := func() error { return move(ctx, c.bytes) }
	if order.Profile != "" {
		op = profiled(order.Profile, op)
	}
	t, err := watch(order.URL, op)
	return errors.Join(err, writeJSON(out, t))
}

func profiled(name string, op func() error) func() error {
	return func() error {
		file, err := os.Create(name)
		if err != nil {
			return err
		}
		if err := pprof.StartCPUProfile(file); err != nil {
			return errors.Join(err, file.Close())
		}
		err = op()
		pprof.StopCPUProfile()
		return errors.Join(err, file.Close())
	}
}

func ordered(order transferOrder) (transferCase, transferRow, error) {
	for _, c := range slices.Concat(transferCases(), gcsTransferCases(), azureTransferCases()) {
		for _, r := range c.rows {
			if c.name == order.Case && r.name == order.Row {
				return c, r, nil
			}
		}
	}
	return transferCase{}, transferRow{}, fmt.Errorf("no case %q with %q", order.Case, order.Row)
}

// watch measures one operation of this process.
func watch(url string, op func() error) (*told, error) {
	before, err := nullserver.Counts(http.DefaultClient, url)
	if err != nil {
		return nil, err
	}
	debug.FreeOSMemory()
	if err := forgetPeak(); err != nil {
		return nil, err
	}
	base, _ := resident()
	computed, start := cpuTime(), time.Now()
	if err := op(); err != nil {
		return nil, err
	}
	t := &told{Nanos: float64(time.Since(start)), CPU: float64(cpuTime() - computed)}
	_, peak := resident()
	t.Resident = float64(max(peak, base) - base)
	if base == 0 {
		t.Resident = -1 // this system does not tell
	}
	after, err := nullserver.Counts(http.DefaultClient, url)
	for operation := range before {
		after[operation] -= before[operation]
	}
	maps.DeleteFunc(after, func(_ string, asked int) bool { return asked == 0 })
	t.Requests = after
	return t, err
}

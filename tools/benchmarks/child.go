package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strings"
	"time"

	"github.com/omnibucket/storage/tools/benchmarks/nullserver"
	"github.com/omnibucket/storage/tools/benchmarks/process"
)

// childVariable tells this program, if it is a child, what to run: the null
// server of a provider, or one contender. A process of its own has its own peak
// of memory, and the CPU time of a server does not count as its client's.
const (
	childVariable  = "OMNIBUCKET_BENCHMARKS_CHILD"
	childContender = "contender"
)

func runChild(job string) error {
	for _, p := range []*provider{amazon, google, microsoft} {
		if job == p.name {
			return p.runServer(os.Stdin, os.Stdout)
		}
	}
	return runContender(os.Stdin, os.Stdout)
}

// A child is this program again, which runs a job.
type child struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out io.ReadCloser
}

func (e *env) startChild(job string) (c child, err error) {
	self, err := os.Executable()
	if err != nil {
		return child{}, err
	}
	// It ends by itself, or with its standard input; a benchmark's context ends
	// before its cleanup.
	c.cmd = exec.CommandContext(context.WithoutCancel(e.ctx), self)
	c.cmd.Env = append(os.Environ(), childVariable+"="+job)
	c.cmd.Stderr = os.Stderr
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return child{}, err
	}
	if c.out, err = c.cmd.StdoutPipe(); err != nil {
		return child{}, err
	}
	return c, c.cmd.Start()
}

func (c child) close() error { return errors.Join(c.in.Close(), c.cmd.Wait()) }

// readJSON reads one value, and nothing after it.
func readJSON(r io.Reader, v any) error { return json.NewDecoder(r).Decode(v) }

func writeJSON(w io.Writer, v any) error { return json.NewEncoder(w).Encode(v) }

// A childOrder is what a contender reads from its standard input. Profile is
// the file for its CPU profile, or "".
type childOrder struct {
	Case, Contender, URL, Profile string
	ListedKeys                    int
}

// profiles is the directory for the profiles of children, or "".
var profiles string

func profilePath(name, contender string) string {
	if profiles == "" {
		return ""
	}
	return filepath.Join(profiles, strings.NewReplacer(" ", "-", "/", "-", ",", "").Replace(name+"."+contender)+".pprof")
}

// runInChild runs a contender in a process of its own.
func (e *env) runInChild(order childOrder) error {
	c, err := e.startChild(childContender)
	if err != nil {
		return err
	}
	var r childReport
	err = errors.Join(writeJSON(c.in, order), readJSON(c.out, &r))
	e.reports[order.Contender] = &r
	return errors.Join(err, c.close())
}

func runContender(in io.Reader, out io.Writer) (err error) {
	var order childOrder
	if err := readJSON(in, &order); err != nil {
		return err
	}
	listedKeys = order.ListedKeys
	c, contender, err := order.find()
	if err != nil {
		return err
	}
	e := newEnv(context.Background())
	defer func() { err = errors.Join(err, e.close()) }()
	opened, err := contender.open(e, order.URL)
	if err != nil {
		return err
	}
	watch := watchHeap
	if !c.heap {
		watch = watchResident
		// The first operation also pays for connections and for the SDK's set-up.
		if err := c.do(e.ctx, opened, kilobyte); err != nil {
			return fmt.Errorf("the first, small operation: %w", err)
		}
	}
	op := func() error { return c.do(e.ctx, opened, c.amount) }
	if order.Profile != "" {
		op = profiled(order.Profile, op)
	}
	report, err := watch(order.URL, op)
	return errors.Join(err, writeJSON(out, report))
}

func (o childOrder) find() (clientCase, contender, error) {
	for _, c := range clientCases() {
		for _, contender := range c.contenders {
			if c.fullName() == o.Case && contender.name == o.Contender {
				return c, contender, nil
			}
		}
	}
	return clientCase{}, contender{}, fmt.Errorf("no case %q with %q", o.Case, o.Contender)
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

// watchResident measures one operation, and the resident memory of this process.
func watchResident(url string, op func() error) (*childReport, error) {
	before, err := nullserver.Counts(http.DefaultClient, url)
	if err != nil {
		return nil, err
	}
	debug.FreeOSMemory()
	if err := process.ForgetPeak(); err != nil {
		return nil, err
	}
	base, _ := process.Resident()
	cpu, start := process.CPUTime(), time.Now()
	if err := op(); err != nil {
		return nil, err
	}
	r := &childReport{Nanos: float64(time.Since(start)), CPU: float64(process.CPUTime() - cpu)}
	_, peak := process.Resident()
	r.Resident = float64(max(peak, base) - base)
	if base == 0 {
		r.Resident = -1 // unknown on this system
	}
	after, err := nullserver.Counts(http.DefaultClient, url)
	r.Requests = since(before, after, 1)
	return r, err
}

// watchHeap measures one operation, and the peak of the heap above its start.
func watchHeap(_ string, op func() error) (*childReport, error) {
	base, began := heap(), time.Now()
	stop, highest := make(chan struct{}), make(chan uint64)
	go func() {
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		peak := heap()
		for {
			select {
			case <-tick.C:
				peak = max(peak, heap())
			case <-stop:
				highest <- max(peak, heap())
				return
			}
		}
	}()
	err := op()
	close(stop)
	peak := <-highest
	return &childReport{Nanos: float64(time.Since(began)), PeakHeap: float64(max(peak, base) - base)}, err
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse
}

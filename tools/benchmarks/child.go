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
	"sync/atomic"
	"time"

	"github.com/omnibucket/storage/tools/benchmarks/nullserver"
	"github.com/omnibucket/storage/tools/benchmarks/process"
)

// childVariable is an environment variable that tells a child process what to run: the null server
// of a provider, one contender, or nothing but a busy loop. The peak memory of a contender can be
// measured only in a process of its own. A server has its own process, so that its CPU time is not
// added to that of its client.
const (
	childVariable  = "OMNIBUCKET_BENCHMARKS_CHILD"
	childContender = "contender"
	childBusy      = "busy"
)

func runChild(job string) error {
	for _, p := range []*provider{amazon, google, microsoft} {
		if job == p.name {
			return p.runServer(os.Stdin, os.Stdout)
		}
	}
	if job == childBusy {
		return useProcessor(os.Stdin)
	}
	return runContender(os.Stdin, os.Stdout)
}

// useProcessor keeps one processor busy until the end of src.
func useProcessor(src io.Reader) error {
	var ended atomic.Bool
	var err error
	go func() {
		_, err = io.Copy(io.Discard, src)
		ended.Store(true)
	}()
	for !ended.Load() {
		continue
	}
	return err
}

// keepBusy starts n processes, each of which keeps a processor busy until the cleanup of e.
func (e *env) keepBusy(n int) error {
	for range n {
		c, err := e.startChild(childBusy)
		if err != nil {
			return err
		}
		e.cleanup = append(e.cleanup, c.close)
	}
	return nil
}

// A child is a second process of this program. It runs a server, a contender or a busy loop.
type child struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out io.ReadCloser
}

// startChild starts this program again as a child with the given job. The child reads its order from
// standard input, and writes its report to standard output.
func (e *env) startChild(job string) (c child, err error) {
	self, err := os.Executable()
	if err != nil {
		return child{}, err
	}
	// The process ends by itself, or at the end of its standard input. The end of the benchmark's
	// context must not end the process, because the cleanup still uses the process.
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

// readJSON reads one JSON value from r into v, and ignores what follows it.
func readJSON(r io.Reader, v any) error { return json.NewDecoder(r).Decode(v) }

func writeJSON(w io.Writer, v any) error { return json.NewEncoder(w).Encode(v) }

// A childOrder is the input of a child that runs a contender. Profile is the path for the child's
// CPU profile, or "".
type childOrder struct {
	Case, Contender, URL, Profile string
	ListedKeys                    int
}

// profiles is the directory in which children store their CPU profiles, or "".
var profiles string

func profilePath(name, contender string) string {
	if profiles == "" {
		return ""
	}
	return filepath.Join(profiles, strings.NewReplacer(" ", "-", "/", "-", ",", "").Replace(name+"."+contender)+".pprof")
}

// runInChild measures a contender in a child process.
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

// runContender is the part of runInChild that runs in the child. It reads a childOrder from src,
// measures one operation of the contender, and writes a childReport to w.
func runContender(src io.Reader, w io.Writer) (err error) {
	var order childOrder
	if err := readJSON(src, &order); err != nil {
		return err
	}

	// The flags of the parent set this variable there.
	listedKeys = order.ListedKeys
	c, contender, err := order.find()
	if err != nil {
		return err
	}

	e := newEnv(context.Background())
	defer func() {
		err = errors.Join(err, e.close())
	}()

	connected, err := contender.open(e, order.URL)
	if err != nil {
		return err
	}

	if !c.heap {
		// The first operation is not measured, because it also opens connections and initializes
		// the SDK.
		if err := c.do(e.ctx, connected, kilobyte); err != nil {
			return fmt.Errorf("the first, small operation: %w", err)
		}
	}

	op := func() error { return c.do(e.ctx, connected, c.amount) }
	if order.Profile != "" {
		op = profiled(order.Profile, op)
	}

	var report *childReport
	if c.heap {
		report, err = watchHeap(op)
	} else {
		report, err = watchResident(order.URL, op)
	}
	return errors.Join(err, writeJSON(w, report))
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

// profiled returns an op that also writes a CPU profile to a file.
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

// watchResident measures one operation, including the growth of this process's resident memory.
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
	cpuBefore := process.CPUTime()
	start := time.Now()
	if err := op(); err != nil {
		return nil, err
	}

	r := &childReport{Nanos: float64(time.Since(start)), CPU: float64(process.CPUTime() - cpuBefore)}
	if base == 0 {
		// This system does not report the resident memory.
		r.Resident = -1
	} else {
		_, peak := process.Resident()
		r.Resident = float64(max(peak, base) - base)
	}

	after, err := nullserver.Counts(http.DefaultClient, url)
	r.Requests = since(before, after, 1)
	return r, err
}

// watchHeap measures one operation, including how far the heap grows above its size at the start.
func watchHeap(op func() error) (*childReport, error) {
	base := heap()
	start := time.Now()
	stop := make(chan struct{})
	highest := make(chan uint64)
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
	return &childReport{Nanos: float64(time.Since(start)), PeakHeap: float64(max(peak, base) - base)}, err
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse
}

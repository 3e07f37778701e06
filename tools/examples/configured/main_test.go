package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/layers/overlay"
	"github.com/omnibucket/storage/locations"
	"github.com/omnibucket/storage/s3server"
)

const (
	writers   = 4
	perStep   = 25 // acknowledged writes of a step before the program is killed
	stepLimit = 2 * time.Minute
)

// The program stores pages in a bucket, whose layers and store are in a configuration file. Each step changes this
// file, and kills the program while clients write. No acknowledged page is lost, although the steps move the pages from
// a directory to an S3 server.
func TestConfiguredBucketMoves(t *testing.T) {
	p := newPages(t)
	server, err := s3server.Start(s3server.Config{Buckets: []string{"pages"}})
	require.NoError(t, err)
	t.Cleanup(server.Close)
	t.Setenv("AWS_ACCESS_KEY_ID", s3server.DefaultAccessKeyID)
	t.Setenv("AWS_SECRET_ACCESS_KEY", s3server.DefaultSecretKey)

	// These are the stores and layers that the file can name.
	disk := "file://" + filepath.ToSlash(t.TempDir())
	mirrorDisk := "file://" + filepath.ToSlash(t.TempDir())
	s3 := "s3://pages?endpoint=" + server.URL + "&profile=omnibucket&region=us-east-1"
	encrypted := "{encrypt: {identity_file: " + identityFile(t) + ", allow_plain: true}}"
	cached := "{diskcache: {dir: " + t.TempDir() + "}}"
	mirrored := "{mirror: second}"
	moving := "{overlay: {old: disk}}"
	movingNewOnly := "{overlay: {old: disk, new_only: true}}"

	steps := []struct {
		name, address string
		layers        []string
		finish        bool // copy the pages that only the old store has, while clients write
	}{
		{name: "a directory", address: disk},
		{name: "encrypted", address: disk, layers: []string{encrypted}},
		{name: "cached", address: disk, layers: []string{cached, encrypted}},
		{name: "mirrored", address: disk, layers: []string{mirrored, cached, encrypted}},
		{name: "moving", address: s3, layers: []string{moving, encrypted}, finish: true},
		{name: "only the new store", address: s3, layers: []string{movingNewOnly, encrypted}},
		{name: "the old store is dropped", address: s3, layers: []string{encrypted}},
	}
	for _, step := range steps {
		p.configure(fmt.Sprintf("locations:\n  disk: %s\n  second: %s\n  pages:\n    address: %s\n    layers: [%s]\n",
			disk, mirrorDisk, step.address, strings.Join(step.layers, ", ")))
		p.runAndKill(step.name, step.finish)
	}
	require.Greater(t, len(p.acknowledged), writers*perStep)

	// The program still has each acknowledged page.
	stop := p.start()
	defer stop()
	for key, text := range p.acknowledged {
		status, body := p.request(http.MethodGet, key, "")
		require.Equal(t, http.StatusOK, status, key)
		require.Equal(t, text, body, key)
	}
}

// pages is the program with its file, and what it has acknowledged.
type pages struct {
	t            *testing.T
	program      string
	file         string
	address      string // HOST:PORT
	mu           sync.Mutex
	acknowledged map[string]string // text by key
	sent         int
}

func newPages(t *testing.T) *pages {
	t.Helper()
	dir := t.TempDir()
	p := &pages{
		t:            t,
		program:      filepath.Join(dir, "configured"),
		file:         filepath.Join(dir, "config.yaml"),
		acknowledged: map[string]string{},
	}
	data, err := exec.CommandContext(t.Context(), "go", "build", "-o", p.program, ".").CombinedOutput()
	require.NoError(t, err, "%s", data)
	t.Setenv(locations.PathVariable, p.file)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p.address = listener.Addr().String()
	require.NoError(t, listener.Close())
	return p
}

func identityFile(t *testing.T) string {
	t.Helper()
	identity, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "identity")
	require.NoError(t, os.WriteFile(path, []byte(identity.String()+"\n"), 0o600))
	return path
}

func (p *pages) configure(text string) {
	p.t.Helper()
	require.NoError(p.t, os.WriteFile(p.file, []byte(text), 0o600))
	c, err := locations.ReadFile(p.file)
	require.NoError(p.t, err)
	require.NoError(p.t, c.Check())
}

// start starts the program, and returns a function that kills it.
func (p *pages) start() (kill func()) {
	p.t.Helper()
	var buf bytes.Buffer
	cmd := exec.CommandContext(p.t.Context(), p.program, p.address)
	cmd.Stdout = &buf
	cmd.Stderr = &buf
	require.NoError(p.t, cmd.Start())
	errc := make(chan error, 1)

	go func() {
		errc <- cmd.Wait()
	}()
	require.Eventually(p.t, func() bool {
		status, _ := p.request(http.MethodGet, "none", "")
		return status == http.StatusNotFound
	}, stepLimit, 5*time.Millisecond, "%s", &buf)

	return func() {
		_ = cmd.Process.Kill()
		<-errc
	}
}

// runAndKill runs the program beside writers, and kills it in the middle of their writes.
func (p *pages) runAndKill(step string, finish bool) {
	p.t.Helper()
	kill := p.start()
	ctx, stop := context.WithTimeout(p.t.Context(), stepLimit)
	defer stop()
	count := p.count()
	var group sync.WaitGroup
	for range writers {
		group.Go(func() {
			for ctx.Err() == nil {
				p.write(step)
			}
		})
	}

	if finish {
		p.finish(ctx)
	}

	require.Eventually(p.t, func() bool { return p.count() >= count+perStep }, stepLimit, time.Millisecond, step)
	kill()
	stop()
	group.Wait()
	p.t.Log(step, p.count()-count, "acknowledged")
}

// write stores a page. Only a response with the status 200 is an acknowledgement.
func (p *pages) write(step string) {
	p.mu.Lock()
	p.sent++
	key := fmt.Sprintf("%s/%d.txt", strings.ReplaceAll(step, " ", "-"), p.sent)
	p.mu.Unlock()
	text := strings.Repeat(key+"\n", 200)
	if status, _ := p.request(http.MethodPut, key, text); status == http.StatusOK {
		p.mu.Lock()
		p.acknowledged[key] = text
		p.mu.Unlock()
	}
}

// finish copies what only the old store has, as "omnibucket finish pages:" does.
func (p *pages) finish(ctx context.Context) {
	p.t.Helper()
	b, err := locations.Open(ctx, "pages")
	require.NoError(p.t, err)

	report, err := overlay.Finish(ctx, b, overlay.FinishConfig{})
	require.NoError(p.t, err)
	require.Zero(p.t, report.Left)
	require.Positive(p.t, report.Copied)
	require.NoError(p.t, storage.Close(b))
}

func (p *pages) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.acknowledged)
}

// request returns the status 0 if there was no whole response.
func (p *pages) request(method, key, body string) (status int, text string) {
	r, err := http.NewRequestWithContext(p.t.Context(), method, "http://"+p.address+"/"+key, strings.NewReader(body))
	require.NoError(p.t, err)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, ""
	}
	defer func() {
		_ = response.Body.Close()
	}()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, ""
	}
	return response.StatusCode, string(data)
}

package azure_test

import (
	"bytes"
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// A cuttingProxy passes bytes on between a client and a server, and cuts
// connections after so many of the server's.
type cuttingProxy struct {
	listener net.Listener
	server   string
	group    sync.WaitGroup

	mu    sync.Mutex
	limit int64 // bytes of the server's that a connection may carry
	left  int   // connections that are still to be cut
	reset bool  // by a reset, which also takes back what the client has not read yet
	cuts  int
}

// cut cuts the next n connections.
func (p *cuttingProxy) cut(limit int64, n int, reset bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.limit, p.left, p.reset, p.cuts = limit, n, reset, 0
}

// carried is called when a connection has carried all that it may; it tells how
// it ends.
func (p *cuttingProxy) carried() (reset bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.left--
	p.cuts++
	return p.reset
}

// allowed is what a new connection may carry; 0: all there is.
func (p *cuttingProxy) allowed() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.left <= 0 {
		return 0
	}
	return p.limit
}

func (p *cuttingProxy) cutSoFar() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cuts
}

func startProxy(t *testing.T, server string) *cuttingProxy {
	t.Helper()
	target, err := url.Parse(server)
	require.NoError(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &cuttingProxy{listener: listener, server: target.Host}
	p.group.Go(p.accept)
	t.Cleanup(func() {
		require.NoError(t, listener.Close())
		p.group.Wait()
	})
	return p
}

func (p *cuttingProxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.group.Go(func() { p.serve(client.(*net.TCPConn)) })
	}
}

// serve carries one connection.
func (p *cuttingProxy) serve(client *net.TCPConn) {
	server, err := net.Dial("tcp", p.server)
	if err != nil {
		_ = client.Close()
		return
	}
	p.group.Go(func() {
		_, _ = io.Copy(server, client)
		_ = server.Close()
	})
	var answer io.Reader = server
	allowed := p.allowed()
	if allowed > 0 {
		answer = io.LimitReader(server, allowed)
	}
	if n, _ := io.Copy(client, answer); allowed > 0 && n == allowed && p.carried() {
		_ = client.SetLinger(0)
	}
	_ = client.Close()
	_ = server.Close()
}

// content is n bytes, different for each seed.
func content(n int, seed byte) []byte {
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(i>>8) ^ byte(i) ^ seed
	}
	return data
}

func TestADownloadResumesWhereTheConnectionWasCut(t *testing.T) {
	rows := []struct {
		how   string
		cuts  int
		reset bool
	}{
		{"ended again and again", 8, false},
		{"reset", 2, true}, // each may take all progress back, and attempts are bounded
	}
	for _, row := range rows {
		t.Run(row.how, func(t *testing.T) {
			s := needAzurite(t)
			direct, proxy, through := throughProxy(t, s, s.container(t))
			want := content(8<<20, 1)
			stored, err := direct.Upload(t.Context(), "a", bytes.NewReader(want))
			require.NoError(t, err)
			proxy.cut(1<<20, row.cuts, row.reset)
			got, attrs, err := storage.ReadAll(t.Context(), through, "a")
			require.NoError(t, err)
			require.True(t, bytes.Equal(want, got), "%d bytes", len(got))
			require.Equal(t, stored.Revision, attrs.Revision)
			require.Equal(t, row.cuts, proxy.cutSoFar())
		})
	}
}

func TestADownloadIsNeverSplicedOfTwoRevisions(t *testing.T) {
	s := needAzurite(t)
	direct, proxy, through := throughProxy(t, s, s.container(t))
	old := content(8<<20, 1)
	_, err := direct.Upload(t.Context(), "a", bytes.NewReader(old))
	require.NoError(t, err)

	proxy.cut(1<<20, 1, false)
	r, err := through.Download(t.Context(), "a")
	require.NoError(t, err)
	defer func() { _ = r.Close() }()
	first := make([]byte, 1000)
	_, err = io.ReadFull(r, first)
	require.NoError(t, err)
	_, err = direct.Upload(t.Context(), "a", bytes.NewReader(content(8<<20, 2)))
	require.NoError(t, err)
	rest, err := io.ReadAll(r)
	require.Equal(t, storage.Changed, storage.CodeOf(err), "%v", err)
	require.True(t, bytes.HasPrefix(old, append(first, rest...)), "what came is of the first revision")
}

// throughProxy opens a container twice: directly, and through a proxy.
func throughProxy(t *testing.T, s *azuriteServer, container string) (direct storage.Bucket, proxy *cuttingProxy, through storage.Bucket) {
	t.Helper()
	proxy = startProxy(t, s.endpoint)
	behind := *s
	behind.endpoint = "http://" + proxy.listener.Addr().String() + "/devstoreaccount1"
	direct = s.open(t, container)
	through = behind.open(t, container, storage.WithRetry(storage.RetryPolicy{MaxDelay: time.Millisecond}))
	t.Cleanup(func() {
		require.NoError(t, storage.Close(direct))
		require.NoError(t, storage.Close(through))
	})
	return direct, proxy, through
}

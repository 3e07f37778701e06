//go:build omnibucket_sdks

// A build tag selects this file, because linking the SDKs of these providers takes a second of
// processor time. Only tests with a server need them.

package mirror_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/testing/freshbucket"
	"github.com/omnibucket/storage/internal/testing/minio"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/layers/mirror"
	"github.com/omnibucket/storage/providers/azure"
	"github.com/omnibucket/storage/providers/s3"
	"github.com/omnibucket/storage/storagetest"
)

// azuriteConfig returns the account of the server Azurite, without a container.
func azuriteConfig(t *testing.T) azure.Config {
	endpoint := testserver.Need(t, "OMNIBUCKET_TEST_AZURITE")
	t.Setenv("AZURE_STORAGE_ACCOUNT", os.Getenv("OMNIBUCKET_TEST_AZURITE_ACCOUNT"))
	t.Setenv("AZURE_STORAGE_KEY", os.Getenv("OMNIBUCKET_TEST_AZURITE_KEY"))
	return azure.Config{Endpoint: endpoint}
}

// newDrivers returns functions that make drivers with empty buckets.
func newDrivers(t *testing.T) (ofMinIO, ofAzurite func(t *testing.T) driver.Driver) {
	minioAccount := minio.Config(t)
	minioAccount.HTTPClient = testserver.Client()
	minioService, err := s3.NewService(t.Context(), minioAccount)
	require.NoError(t, err)
	ofMinIO = func(t *testing.T) driver.Driver {
		c := minioAccount
		c.Bucket = freshbucket.Create(t, minioService)
		d, err := s3.NewDriver(t.Context(), c)
		require.NoError(t, err)
		return d
	}

	azuriteAccount := azuriteConfig(t)
	azuriteAccount.HTTPClient = testserver.Client()
	azuriteService, err := azure.NewService(t.Context(), azuriteAccount)
	require.NoError(t, err)
	ofAzurite = func(t *testing.T) driver.Driver {
		c := azuriteAccount
		c.Bucket = freshbucket.Create(t, azuriteService)
		d, err := azure.NewDriver(t.Context(), c)
		require.NoError(t, err)
		return d
	}
	return ofMinIO, ofAzurite
}

// The conformance suite passes for a mirror whose primary is MinIO and whose second store is Azurite.
func TestFurtherConformanceOfMinIOBesideAzurite(t *testing.T) {
	testserver.Nightly(t, "make layers")
	t.Setenv("OMNIBUCKET_SUPPORT", "")
	ofMinIO, ofAzurite := newDrivers(t)
	newMirrorDriver := func(t *testing.T) driver.Driver {
		second := engine.New(ofAzurite(t))
		return newLayer(t, second, mirror.Config{})(ofMinIO(t))
	}
	storagetest.RunDriver(t, newMirrorDriver, skips(minio.Skipped)...)
}

// The conformance suite passes for a mirror whose primary is Azurite and whose second store is MinIO.
func TestFurtherConformanceOfAzuriteBesideMinIO(t *testing.T) {
	testserver.Nightly(t, "make layers")
	t.Setenv("OMNIBUCKET_SUPPORT", "")
	ofMinIO, ofAzurite := newDrivers(t)
	newMirrorDriver := func(t *testing.T) driver.Driver {
		second := engine.New(ofMinIO(t))
		return newLayer(t, second, mirror.Config{})(ofAzurite(t))
	}
	storagetest.RunDriver(t, newMirrorDriver)
}

// A deafProxy passes all requests on. While it is deaf, it passes no response on.
type deafProxy struct {
	deaf atomic.Bool
	all  sync.WaitGroup
}

// listen accepts connections at a new address, and passes them to the target.
func (p *deafProxy) listen(t *testing.T, target string) (address string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p.all.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			p.all.Go(func() {
				p.pass(client, target)
			})
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		p.all.Wait()
	})
	return listener.Addr().String()
}

// pass copies the bytes of a client to the target. It copies the bytes of the target back, unless the proxy is deaf.
func (p *deafProxy) pass(client net.Conn, target string) {
	defer client.Close()
	server, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	p.all.Go(func() {
		_, _ = io.Copy(server, client)
		_ = server.Close()
	})
	buf := make([]byte, 32<<10)
	for {
		n, err := server.Read(buf)
		if err != nil {
			return
		}
		if p.deaf.Load() {
			continue
		}
		if _, err := client.Write(buf[:n]); err != nil {
			return
		}
	}
}

// A proxiedMirror is a mirror that reaches both of its stores through proxies.
type proxiedMirror struct {
	bucket         storage.Bucket
	primaryProxy   deafProxy
	secondProxy    deafProxy
	withoutProxies struct{ primary, second storage.Bucket } // the two stores
}

// newProxiedMirror returns a mirror whose primary is in MinIO and whose second store is in Azurite.
func newProxiedMirror(t *testing.T) *proxiedMirror {
	primaryConfig := minio.Config(t)
	primaryConfig.HTTPClient = testserver.Client()
	minioService, err := s3.NewService(t.Context(), primaryConfig)
	require.NoError(t, err)
	primaryConfig.Bucket = freshbucket.Create(t, minioService)

	secondConfig := azuriteConfig(t)
	secondConfig.HTTPClient = testserver.Client()
	azuriteService, err := azure.NewService(t.Context(), secondConfig)
	require.NoError(t, err)
	secondConfig.Bucket = freshbucket.Create(t, azuriteService)

	m := &proxiedMirror{}
	m.withoutProxies.primary, err = s3.Open(t.Context(), primaryConfig)
	require.NoError(t, err)
	m.withoutProxies.second, err = azure.Open(t.Context(), secondConfig)
	require.NoError(t, err)

	primaryConfig.Endpoint = proxyEndpoint(t, &m.primaryProxy, primaryConfig.Endpoint)
	secondConfig.Endpoint = proxyEndpoint(t, &m.secondProxy, secondConfig.Endpoint)
	retry := storage.WithRetry(storage.RetryPolicy{
		Attempts: 2,
		Stall:    300 * time.Millisecond,
		MaxDelay: 10 * time.Millisecond,
	})
	second, err := azure.Open(t.Context(), secondConfig, retry)
	require.NoError(t, err)
	layer := newLayer(t, second, mirror.Config{Stall: 500 * time.Millisecond, Probe: 200 * time.Millisecond})
	m.bucket, err = s3.Open(t.Context(), primaryConfig, driver.WithLayer(layer), retry)
	require.NoError(t, err)
	return m
}

// If the network loses all responses of one store, no successful write is lost.
func TestRepairAfterOneWayNetwork(t *testing.T) {
	tests := []struct {
		name           string
		isPrimaryLost  bool // the responses of the primary are lost
		isSecondLost   bool // those of the second store are lost
		wantFailedOver bool // reads come from the second store
	}{
		{name: "the primary", isPrimaryLost: true, wantFailedOver: true},
		{name: "the second store", isSecondLost: true, wantFailedOver: false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := newProxiedMirror(t)

			// write stores "text n" under one of the keys "k0" to "k6". wantTexts has the last text
			// of each key, unless its last write failed.
			const keys = 7
			wantTexts := map[string]string{}
			write := func(n int) {
				key := fmt.Sprint("k", n%keys)
				text := fmt.Sprint("text ", n)
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				_, err := m.bucket.Upload(ctx, key, strings.NewReader(text))
				if err != nil {
					delete(wantTexts, key)
					return
				}
				wantTexts[key] = text
			}

			// Write each key while the network works. Then write all keys but two while the network
			// loses responses.
			for n := range keys {
				write(n)
			}
			m.primaryProxy.deaf.Store(tt.isPrimaryLost)
			m.secondProxy.deaf.Store(tt.isSecondLost)
			const rewritten = keys - 2
			for n := range rewritten {
				write(keys + n)
			}

			// A read returns the text of the last key. On a busy machine, the other store may take
			// so long that it counts as stalled. So the read is repeated until it succeeds.
			var data []byte
			var attrs *storage.Attrs
			readSucceeds := func() bool {
				var err error
				data, attrs, err = storage.ReadAll(t.Context(), m.bucket, "k6")
				return err == nil
			}
			require.Eventually(t, readSucceeds, 20*time.Second, 100*time.Millisecond)
			require.Equal(t, "text 6", string(data))
			require.Equal(t, tt.wantFailedOver, mirror.FailedOver(attrs))

			// The network works again, and Repair makes the stores equal.
			m.primaryProxy.deaf.Store(false)
			m.secondProxy.deaf.Store(false)
			for n := range 4 {
				write(keys + rewritten + n)
			}
			repairSucceeds := func() bool {
				_, err := mirror.Repair(t.Context(), m.bucket)
				return err == nil
			}
			require.Eventually(t, repairSucceeds, 20*time.Second, 100*time.Millisecond)
			objects := contentsOf(t, m.withoutProxies.primary)
			require.Equal(t, objects, contentsOf(t, m.withoutProxies.second))
			for key, text := range wantTexts {
				require.Equal(t, text, objects[key], key)
			}
		})
	}
}

// proxyEndpoint returns an endpoint whose connections pass the proxy.
func proxyEndpoint(t *testing.T, p *deafProxy, endpoint string) string {
	rest, ok := strings.CutPrefix(endpoint, "http://")
	require.True(t, ok)
	host, path, _ := strings.Cut(rest, "/")
	if path != "" {
		path = "/" + path
	}
	return "http://" + p.listen(t, host) + path
}

//go:build omnibucket_sdks

// To link the SDKs takes a second of processor time. Without a server, no test here runs.

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

// If the network loses all responses of one store, no successful write is lost.
func TestRepairAfterOneWayNetwork(t *testing.T) {
	patience := storage.WithRetry(storage.RetryPolicy{
		Attempts: 2,
		Stall:    300 * time.Millisecond,
		MaxDelay: 10 * time.Millisecond,
	})
	client := testserver.Client()
	for _, row := range []struct {
		name                  string
		deafPrimary, deafElse bool
	}{{name: "the primary", deafPrimary: true, deafElse: false}, {name: "the second store", deafPrimary: false, deafElse: true}} {
		t.Run(row.name, func(t *testing.T) {
			first := minio.Config(t)
			azurite := azuriteConfig(t)
			first.HTTPClient = client
			azurite.HTTPClient = client
			minioService, err := s3.NewService(t.Context(), first)
			require.NoError(t, err)
			azuriteService, err := azure.NewService(t.Context(), azurite)
			require.NoError(t, err)
			first.Bucket, azurite.Bucket = freshbucket.Create(t,
				minioService), freshbucket.Create(t, azuriteService)
			plainFirst, err := s3.Open(t.Context(), first)
			require.NoError(t, err)
			plainSecond, err := azure.Open(t.Context(), azurite)
			require.NoError(t, err)

			var toMinIO, toAzurite deafProxy
			first.Endpoint = proxyEndpoint(t, &toMinIO, first.Endpoint)
			azurite.Endpoint = proxyEndpoint(t, &toAzurite, azurite.Endpoint)
			second, err := azure.Open(t.Context(), azurite, patience)
			require.NoError(t, err)
			b, err := s3.Open(t.Context(), first, driver.WithLayer(newLayer(t, second, mirror.Config{
				Stall: 500 * time.Millisecond,
				Probe: 200 * time.Millisecond,
			})), patience)
			require.NoError(t, err)

			wrote := map[string]string{}
			write := func(start, end int) {
				for n := start; n < end; n++ {
					key := fmt.Sprint("k", n%7)
					text := fmt.Sprint("text ", n)
					ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
					if _, err := b.Upload(ctx, key, strings.NewReader(text)); err == nil {
						wrote[key] = text
					} else {
						delete(wrote, key)
					}
					cancel()
				}
			}
			write(0, 7)
			toMinIO.deaf.Store(row.deafPrimary)
			toAzurite.deaf.Store(row.deafElse)
			write(7, 12)

			var data []byte
			var attrs *storage.Attrs
			require.Eventually(t, func() bool { // on a busy machine, the other store may take longer than a stall
				data, attrs, err = storage.ReadAll(t.Context(), b, "k6")
				return err == nil
			}, 20*time.Second, 100*time.Millisecond, "a read")
			require.Equal(t, "text 6", string(data))
			require.Equal(t, row.deafPrimary, mirror.FailedOver(attrs))

			toMinIO.deaf.Store(false)
			toAzurite.deaf.Store(false)
			write(12, 16)

			require.Eventually(t, func() bool {
				_, err := mirror.Repair(t.Context(), b)
				return err == nil
			}, 20*time.Second, 100*time.Millisecond)
			objects := contentsOf(t, plainFirst)
			require.Equal(t, objects, contentsOf(t, plainSecond))
			for key, text := range wrote {
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

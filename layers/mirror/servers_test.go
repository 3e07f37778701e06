//go:build !race || omnibucket_sdks

// To build the SDKs of the stores for the race detector takes longer than all tests of this package. "make
// race" does that, and scripts/tests runs these tests without it.

package mirror_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
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
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/layers/mirror"
	"github.com/omnibucket/storage/providers/azure"
	"github.com/omnibucket/storage/providers/s3"
	"github.com/omnibucket/storage/storagetest"
)

func minioConfig(t *testing.T) s3.Config {
	profile, known := s3.NamedProfile("minio")
	require.True(t, known)
	return s3.Config{
		Endpoint: testserver.Need(t, "OMNIBUCKET_TEST_MINIO"), Region: "us-east-1", Profile: &profile,
		AccessKeyID: testserver.Need(t, "OMNIBUCKET_TEST_MINIO_KEY"), SecretKey: testserver.Need(t, "OMNIBUCKET_TEST_MINIO_SECRET"),
	}
}

func azuriteConfig(t *testing.T) azure.Config {
	endpoint := testserver.Need(t, "OMNIBUCKET_TEST_AZURITE")
	t.Setenv("AZURE_STORAGE_ACCOUNT", os.Getenv("OMNIBUCKET_TEST_AZURITE_ACCOUNT"))
	t.Setenv("AZURE_STORAGE_KEY", os.Getenv("OMNIBUCKET_TEST_AZURITE_KEY"))
	return azure.Config{Endpoint: endpoint}
}

// withoutKeepAlive returns a client without idle connections, which the suite would report.
func withoutKeepAlive() *http.Client {
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
}

// drivers returns functions that make drivers with empty buckets.
func drivers(t *testing.T) (ofMinIO, ofAzurite func(t *testing.T) driver.Driver) {
	minio, azurite := minioConfig(t), azuriteConfig(t)
	minio.HTTPClient, azurite.HTTPClient = withoutKeepAlive(), withoutKeepAlive()
	minioService, err := s3.NewService(t.Context(), minio)
	require.NoError(t, err)
	azuriteService, err := azure.NewService(t.Context(), azurite)
	require.NoError(t, err)
	return func(t *testing.T) driver.Driver {
			c := minio
			c.Bucket = created(t, minioService)
			d, err := s3.NewDriver(t.Context(), c)
			require.NoError(t, err)
			return d
		}, func(t *testing.T) driver.Driver {
			c := azurite
			c.Bucket = created(t, azuriteService)
			d, err := azure.NewDriver(t.Context(), c)
			require.NoError(t, err)
			return d
		}
}

func created(t *testing.T, service storage.Service) string {
	name := "test-" + strings.ToLower(rand.Text())
	_, err := service.CreateBucket(t.Context(), name)
	require.NoError(t, err)
	return name
}

const noKeyBelowAKey = "MinIO keeps objects as files: it cannot hold a beside a/b"

func TestFurtherConformanceOfMinIOBesideAzurite(t *testing.T) {
	testserver.Nightly(t, "make layers")
	t.Setenv("OMNIBUCKET_SUPPORT", "")
	minio, azurite := drivers(t)
	storagetest.RunDriver(t, func(t *testing.T) driver.Driver {
		return newLayer(t, engine.New(azurite(t)), mirror.Config{})(minio(t))
	}, skips(map[string]string{ // as package s3 does
		"a key and keys below it coexist":                 noKeyBelowAKey,
		"an object beside its folder":                     noKeyBelowAKey,
		"removing one object leaves its neighbours":       noKeyBelowAKey,
		"keys are in byte order":                          noKeyBelowAKey,
		"common prefixes are listed among the keys":       noKeyBelowAKey,
		"prefix, delimiter and start are taken literally": noKeyBelowAKey,
		"reads accept empty segments":                     "MinIO refuses a//b as a name (400 XMinioInvalidObjectName)",
	})...)
}

func TestFurtherConformanceOfAzuriteBesideMinIO(t *testing.T) {
	testserver.Nightly(t, "make layers")
	t.Setenv("OMNIBUCKET_SUPPORT", "")
	minio, azurite := drivers(t)
	storagetest.RunDriver(t, func(t *testing.T) driver.Driver {
		return newLayer(t, engine.New(minio(t)), mirror.Config{})(azurite(t))
	})
}

// A deafProxy passes all requests on, and while it is deaf no response.
type deafProxy struct {
	deaf atomic.Bool
	all  sync.WaitGroup
}

func (p *deafProxy) listen(t *testing.T, target string) (address string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p.all.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			p.all.Go(func() { p.pass(client, target) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		p.all.Wait()
	})
	return listener.Addr().String()
}

func (p *deafProxy) pass(client net.Conn, target string) {
	defer func() { _ = client.Close() }()
	server, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	p.all.Go(func() {
		_, _ = io.Copy(server, client)
		_ = server.Close()
	})
	buffer := make([]byte, 32<<10)
	for {
		n, err := server.Read(buffer)
		if err != nil {
			return
		}
		if p.deaf.Load() {
			continue
		}
		if _, err := client.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// A network that loses all responses of one store loses no write that succeeded.
func TestANetworkThatDropsOneWay(t *testing.T) {
	patience := storage.WithRetry(storage.RetryPolicy{Attempts: 2, Stall: 300 * time.Millisecond, MaxDelay: 10 * time.Millisecond})
	client := withoutKeepAlive()
	for _, row := range []struct {
		name                  string
		deafPrimary, deafElse bool
	}{{"the primary", true, false}, {"the second store", false, true}} {
		t.Run(row.name, func(t *testing.T) {
			minio, azurite := minioConfig(t), azuriteConfig(t)
			minio.HTTPClient, azurite.HTTPClient = client, client
			minioService, err := s3.NewService(t.Context(), minio)
			require.NoError(t, err)
			azuriteService, err := azure.NewService(t.Context(), azurite)
			require.NoError(t, err)
			minio.Bucket, azurite.Bucket = created(t, minioService), created(t, azuriteService)
			plainFirst, err := s3.Open(t.Context(), minio)
			require.NoError(t, err)
			plainSecond, err := azure.Open(t.Context(), azurite)
			require.NoError(t, err)

			var toMinIO, toAzurite deafProxy
			minio.Endpoint = through(t, &toMinIO, minio.Endpoint)
			azurite.Endpoint = through(t, &toAzurite, azurite.Endpoint)
			second, err := azure.Open(t.Context(), azurite, patience)
			require.NoError(t, err)
			b, err := s3.Open(t.Context(), minio, driver.WithLayer(newLayer(t, second, mirror.Config{Stall: 500 * time.Millisecond, Probe: 200 * time.Millisecond})), patience)
			require.NoError(t, err)

			wrote := map[string]string{}
			write := func(from, to int) {
				for n := from; n < to; n++ {
					key, text := fmt.Sprint("k", n%7), fmt.Sprint("text ", n)
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
			data, attrs, err := storage.ReadAll(t.Context(), b, "k6")
			require.NoError(t, err, "a read")
			require.Equal(t, "text 6", string(data))
			require.Equal(t, row.deafPrimary, mirror.FailedOver(attrs))
			toMinIO.deaf.Store(false)
			toAzurite.deaf.Store(false)
			write(12, 16)

			require.Eventually(t, func() bool {
				_, err := mirror.Repair(t.Context(), b)
				return err == nil
			}, 20*time.Second, 100*time.Millisecond)
			objects := content(t, plainFirst)
			require.Equal(t, objects, content(t, plainSecond))
			for key, text := range wrote {
				require.Equal(t, text, objects[key], key)
			}
		})
	}
}

// through returns an endpoint whose connections pass the proxy.
func through(t *testing.T, p *deafProxy, endpoint string) string {
	rest, found := strings.CutPrefix(endpoint, "http://")
	require.True(t, found)
	host, path, _ := strings.Cut(rest, "/")
	if path != "" {
		path = "/" + path
	}
	return "http://" + p.listen(t, host) + path
}

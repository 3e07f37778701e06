package s3

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/wiretest"
	"github.com/omnibucket/storage/providers/s3/internal/httpclient"
)

// The driver's own HTTP client trusts the certificates of AWS_CA_BUNDLE, wherever the credentials
// come from.
func TestCABundle(t *testing.T) {
	server := wiretest.NewTLSServer(t, stored)
	bundle := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(bundle,
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600))

	for name, change := range map[string]func(t *testing.T, c *Config){
		"by the default chain": func(*testing.T, *Config) {},
		"with an access key": func(_ *testing.T, c *Config) {
			c.AccessKeyID = "key"
			c.SecretKey = "secret"
		},
		"anonymous": func(_ *testing.T, c *Config) {
			c.Anonymous = true
		},
		"with an aws.Config": func(t *testing.T, c *Config) {
			loaded, err := config.LoadDefaultConfig(t.Context())
			require.NoError(t, err)
			c.AWS = &loaded
		},
	} {
		t.Run(name, func(t *testing.T) {
			setEnv(t, map[string]string{
				"AWS_CA_BUNDLE":         bundle,
				"AWS_ACCESS_KEY_ID":     "env",
				"AWS_SECRET_ACCESS_KEY": "secret",
				"AWS_REGION":            "us-east-1",
			})
			c := Config{Bucket: "photos", Endpoint: server.URL}
			change(t, &c)
			d, err := NewDriver(t.Context(), c)
			require.NoError(t, err)
			defer func() {
				require.NoError(t, d.Close())
			}()

			require.True(t, usesRawClient(t, d.(*objectDriver)), "the driver must use its own transport")
			_, err = d.Put(t.Context(), wiretest.Put("k", "hello"))
			require.NoError(t, err)
		})
	}
}

// NewDriver fails with InvalidArgument if AWS_CA_BUNDLE names a file that has no certificates or
// does not exist.
func TestCABundleWithoutCertificates(t *testing.T) {
	folder := t.TempDir()
	empty := filepath.Join(folder, "empty.pem")
	require.NoError(t, os.WriteFile(empty, []byte("nothing"), 0o600))

	for name, file := range map[string]string{
		"a file without certificates": empty,
		"no file":                     filepath.Join(folder, "missing.pem"),
	} {
		t.Run(name, func(t *testing.T) {
			setEnv(t, map[string]string{"AWS_CA_BUNDLE": file})
			_, err := NewDriver(t.Context(), Config{
				Bucket:      "photos",
				Endpoint:    "https://store.invalid",
				AccessKeyID: "key",
				SecretKey:   "secret",
			})
			require.ErrorIs(t, err, storage.InvalidArgument)
			require.ErrorContains(t, err, "AWS_CA_BUNDLE")
		})
	}
}

// NewDriver parses the file of AWS_CA_BUNDLE only once in a process, because parsing the many
// certificates of a system takes milliseconds. So drivers after the first one need no more
// allocations with a large file than with a small one.
func TestCABundleOfDefaultChain(t *testing.T) {
	server := wiretest.NewTLSServer(t, withLength(reply{Header: map[string]string{"ETag": etag}}))
	config := Config{Bucket: "photos", Endpoint: server.URL}

	setCABundle(t, server.Certificate(), 1)
	withSmallFile := allocationsOfNewDriver(t, config)
	requireTrusted(t, config)

	setCABundle(t, server.Certificate(), 100)
	withLargeFile := allocationsOfNewDriver(t, config)
	requireTrusted(t, config)

	// To parse 99 certificates would take thousands of allocations.
	const noise = 300
	require.Less(t, withLargeFile, withSmallFile+noise)
}

// setCABundle sets AWS_CA_BUNDLE to a new file with a certificate and a number of unused ones.
func setCABundle(t *testing.T, certificate *x509.Certificate, unused int) {
	t.Helper()
	bundle := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw})
	for range unused {
		bundle = append(bundle, newUnusedCertificate(t)...)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(file, bundle, 0o600))
	setEnv(t, map[string]string{
		"AWS_CA_BUNDLE":         file,
		"AWS_ACCESS_KEY_ID":     "key",
		"AWS_SECRET_ACCESS_KEY": "secret",
	})
}

// allocationsOfNewDriver opens several drivers with a configuration. It returns the number of
// allocations for each driver after the first.
func allocationsOfNewDriver(t *testing.T, c Config) float64 {
	t.Helper()
	openAndClose := func() {
		d, err := NewDriver(t.Context(), c)
		require.NoError(t, err)
		require.NoError(t, d.Close())
	}
	openAndClose() // parses the file of AWS_CA_BUNDLE
	return testing.AllocsPerRun(3, openAndClose)
}

// requireTrusted requires that a driver with a configuration trusts the certificate of its server.
func requireTrusted(t *testing.T, c Config) {
	t.Helper()
	d, err := NewDriver(t.Context(), c)
	require.NoError(t, err)
	_, err = d.Head(t.Context(), &driver.GetRequest{Key: "k"})
	require.NoError(t, err)
	require.NoError(t, d.Close())
}

// newUnusedCertificate returns a certificate that no server has.
func newUnusedCertificate(t *testing.T) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "anonymous"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// If the configuration has no HTTP client, or has the SDK's default one, the driver sends requests
// by its raw client. The default one may trust other certificates. With any other HTTP client, the
// driver sends requests by the SDK.
func TestHTTPClientOfAConfiguration(t *testing.T) {
	sdkDefault := awshttp.NewBuildableClient()
	tests := []struct {
		name    string
		config  aws.Config
		wantRaw bool // the raw client is used
	}{
		{name: "no client", wantRaw: true},
		{name: "a nil of the type *http.Client", config: aws.Config{HTTPClient: (*http.Client)(nil)}, wantRaw: true},
		{name: "the SDK's default", config: aws.Config{HTTPClient: sdkDefault}, wantRaw: true},
		{
			name: "the SDK's default with other certificates",
			config: aws.Config{HTTPClient: sdkDefault.WithTransportOptions(func(tr *http.Transport) {
				tr.TLSClientConfig.RootCAs = x509.NewCertPool()
			})},
			wantRaw: true,
		},
		{name: "the user's", config: aws.Config{HTTPClient: http.DefaultClient}},
		{
			name: "a client of service options",
			config: aws.Config{ServiceOptions: []func(string, any){func(_ string, o any) {
				o.(*awss3.Options).HTTPClient = sdkDefault.WithTimeout(time.Hour)
			}}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := mustOpen(t, Config{AWS: &tt.config})
			require.Equal(t, tt.wantRaw, usesRawClient(t, d))
			require.Equal(t, tt.wantRaw, d.account.ownsHTTP)
		})
	}
}

// The driver uses the *http.Client of a configuration, and does not change it.
func TestHTTPClientOfAConfigurationUnchanged(t *testing.T) {
	d := mustOpen(t, Config{AWS: &aws.Config{HTTPClient: http.DefaultClient}})
	require.IsType(t, http.DefaultClient, d.account.client.Options().HTTPClient)
	require.Nil(t, http.DefaultClient.Transport)
}

// If a configuration has the SDK's HTTP client with other settings, the driver uses that client and keeps its settings.
func TestHTTPClientOfAConfigurationKeepsSettings(t *testing.T) {
	sdkDefault := awshttp.NewBuildableClient()
	tests := map[string]*awshttp.BuildableClient{
		"a timeout":        sdkDefault.WithTimeout(time.Hour),
		"a read's timeout": sdkDefault.WithReadTimeout(time.Hour),
		"a dialer's timeout": sdkDefault.WithDialerOptions(func(d *net.Dialer) {
			d.Timeout = time.Hour
		}),
		"no proxy": sdkDefault.WithTransportOptions(func(tr *http.Transport) {
			tr.Proxy = nil
		}),
		"a limit of connections": sdkDefault.WithTransportOptions(func(tr *http.Transport) {
			tr.MaxConnsPerHost = 1
		}),
	}
	for name, chosen := range tests {
		t.Run(name, func(t *testing.T) {
			d := mustOpen(t, Config{AWS: &aws.Config{HTTPClient: chosen}})
			require.False(t, usesRawClient(t, d))

			// The SDK uses a copy of the client with the same settings.
			wrapped := d.account.client.Options().HTTPClient.(httpclient.Wrapped)
			client := wrapped.Client.(*awshttp.BuildableClient)
			require.Equal(t, chosen.GetTimeout(), client.GetTimeout())
			require.Equal(t, chosen.GetTransport().MaxConnsPerHost, client.GetTransport().MaxConnsPerHost)
			require.Equal(t, chosen.GetTransport().Proxy == nil, client.GetTransport().Proxy == nil)
			require.Equal(t, chosen.GetDialer().Timeout, client.GetDialer().Timeout)
		})
	}
}

// The raw client uses the TLS configuration of the SDK's HTTP client, too.
func TestTLSOfAConfiguration(t *testing.T) {
	server := wiretest.NewTLSServer(t, stored)
	client := awshttp.NewBuildableClient().WithTransportOptions(func(tr *http.Transport) {
		tr.TLSClientConfig = &tls.Config{InsecureSkipVerify: true}
	})
	d := mustOpen(t, Config{Endpoint: server.URL, AWS: &aws.Config{HTTPClient: client}})

	_, err := d.Put(t.Context(), wiretest.Put("k", "hello"))
	require.NoError(t, err)
}

// The hint of a certificate error says whether the authority is unknown, or the certificate is for
// another host.
func TestCertificateErrorsHaveAHint(t *testing.T) {
	server := wiretest.NewTLSServer(t, stored)
	pool := x509.NewCertPool()
	pool.AddCert(server.Certificate())
	newClient := func(tr *http.Transport) *http.Client {
		t.Cleanup(tr.CloseIdleConnections)
		return &http.Client{Transport: tr}
	}

	tests := map[string]struct {
		client    *http.Client
		wantHint  string
		otherHint string // must not be in the error
	}{
		"signed by an unknown authority": {
			client:    newClient(&http.Transport{}),
			wantHint:  "AWS_CA_BUNDLE",
			otherHint: "path_style",
		},
		"for another host": {
			client: newClient(&http.Transport{
				TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: "a.b.store.invalid"},
			}),
			wantHint:  "path_style=true",
			otherHint: "AWS_CA_BUNDLE",
		},
	}

	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d := mustOpen(t, Config{Endpoint: server.URL, HTTPClient: tt.client})
			_, err := d.Head(t.Context(), &driver.GetRequest{Key: "k", Length: -1})

			require.Equal(t, storage.Internal, storage.CodeOf(err), "%v", err)
			require.ErrorContains(t, err, tt.wantHint)
			require.NotContains(t, err.Error(), tt.otherHint)
		})
	}
}

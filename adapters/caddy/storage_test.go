package caddy

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/s3server"
)

// An authority is a CA that speaks ACME: a Caddy with the handler acme_server.
type authority struct {
	*instance
	directory string // URL of its ACME directory
	roots     string // file with its root certificate
}

// newAuthority starts a CA that connects to the given port of this machine to check a domain. It does
// not use Caddy's own storage, which may remove a folder between its creation and the first file.
func newAuthority(t *testing.T, checkedPort string) *authority {
	t.Helper()
	port := freePort(t)
	c := startCaddy(t, fmt.Sprintf(`{
	admin off
	skip_install_trust
	storage omnibucket file://{env.HOME}/store?create=true&sync=false
	https_port %s
	auto_https disable_redirects
	servers {
		protocols h1 h2
	}
}
https://localhost:%[1]s {
	log
	tls internal
	acme_server
}`, port), alpnPort+"="+checkedPort)
	return &authority{
		instance:  c,
		directory: "https://localhost:" + port + "/acme/local/directory",
		roots:     filepath.Join(c.data, "store", "pki", "authorities", "local", "root.crt"),
	}
}

// forward returns a port whose connections lead to another port, also if something listens there
// only later. The CA connects once, maybe before the instance listens.
func forward(t *testing.T, port string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go connect(conn, port)
		}
	}()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

// connect copies between a connection and a port of this machine until one of both ends. If nothing listens at the port
// yet, it tries again for about ten seconds.
func connect(client net.Conn, port string) {
	const maxAttempts = 1000
	defer func() { _ = client.Close() }()
	for range maxAttempts {
		server, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err != nil {
			time.Sleep(10 * time.Millisecond)
			continue
		}

		defer func() { _ = server.Close() }()
		go func() { _, _ = io.Copy(server, client) }()
		_, _ = io.Copy(client, server)
		return
	}
}

// orders returns how many certificates were ordered.
func (a *authority) orders() int {
	return strings.Count(a.log.String(), `"uri":"/acme/local/new-order"`)
}

// site returns a Caddyfile with a site at a port, whose certificate is kept in the bucket of
// {env.BUCKET} and comes from the CA.
func (a *authority) site(port, name string) string {
	return fmt.Sprintf(`{
	admin off
	storage omnibucket {env.BUCKET} {
		timeout 2s
	}
	https_port %s
	auto_https disable_redirects
	servers {
		protocols h1 h2
	}
}
https://localhost:%[1]s {
	tls {
		issuer acme {
			dir %s
			trusted_roots %s
			disable_http_challenge
			alt_tlsalpn_port %[1]s
		}
	}
	respond %q
}`, port, a.directory, a.roots, name)
}

// get requests the site at a port. It returns the serial number of the certificate, or "" if there
// is no certificate yet.
func (a *authority) get(t *testing.T, port string) string {
	t.Helper()
	roots := x509.NewCertPool()
	text, err := os.ReadFile(a.roots)
	require.NoError(t, err)
	require.True(t, roots.AppendCertsFromPEM(text))
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}
	defer transport.CloseIdleConnections()
	client := http.Client{Transport: transport, Timeout: 5 * time.Second}
	resp, err := client.Get("https://localhost:" + port)
	if err != nil {
		return ""
	}
	_ = resp.Body.Close()
	return resp.TLS.PeerCertificates[0].SerialNumber.String()
}

// Two instances that share a bucket obtain only one certificate. Both serve it, and it is kept only
// in the bucket.
func TestStorageTwoInstancesObtainOneCertificate(t *testing.T) {
	for _, kind := range storeKinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			store := newStore(t, kind)
			env := append(store.env, "BUCKET="+store.address)
			firstPort := freePort(t)
			secondPort := freePort(t)
			// The CA checks the domain at the second instance, which may not listen yet.
			ca := newAuthority(t, forward(t, secondPort))

			// Both instances start before one of them serves.
			first := launchCaddy(t, ca.site(firstPort, "hello"), env...)
			second := launchCaddy(t, ca.site(secondPort, "hello"), env...)

			firstSerial := waitForCertificate(t, ca, first, firstPort)
			secondSerial := waitForCertificate(t, ca, second, secondPort)

			require.Equal(t, firstSerial, secondSerial)
			require.Equal(t, 1, ca.orders())
			// By default, Caddy keeps certificates in this directory.
			require.NoDirExists(t, filepath.Join(first.data, "caddy", "certificates"))
			require.NoDirExists(t, filepath.Join(second.data, "caddy", "certificates"))
		})
	}
}

// waitForCertificate waits until an instance of Caddy serves a certificate at a port, and returns its serial number.
func waitForCertificate(t *testing.T, ca *authority, c *instance, port string) string {
	t.Helper()
	c.waitFor(t, "serving initial configuration")
	require.Eventually(t, func() bool { return ca.get(t, port) != "" }, time.Minute, 50*time.Millisecond)
	return ca.get(t, port)
}

// If an instance is killed while it obtains a certificate, another one obtains it when the lock expires.
func TestStorageKilledInstanceLosesItsLock(t *testing.T) {
	t.Parallel()
	// The lock of the killed instance expires after 15 seconds.
	const maxWait = 40 * time.Second
	store := newStore(t, "s3")
	env := append(store.env, "BUCKET="+store.address)
	port := freePort(t)
	ca := newAuthority(t, port)

	// The first instance is killed while its order is open. The order stays open, because the CA connects to the port of
	// the second instance.
	killed := startCaddy(t, ca.site(freePort(t), "killed"), env...)
	require.Eventually(t, func() bool { return ca.orders() > 0 }, time.Minute, 10*time.Millisecond)
	killed.kill()

	// The second instance gets the lock and a certificate.
	startCaddy(t, ca.site(port, "alive"), env...)
	start := time.Now()
	require.Eventually(t, func() bool { return ca.get(t, port) != "" }, time.Minute, 50*time.Millisecond)
	require.Less(t, time.Since(start), maxWait)
}

// locks returns the keys of the objects that are locks.
func (s *testStore) locks(t *testing.T) (keys []string) {
	t.Helper()
	for entry, err := range s.open(t).List(t.Context(), storage.WithPrefix("locks/")) {
		require.NoError(t, err)
		keys = append(keys, entry.Key)
	}
	return keys
}

// An instance that is stopped while it obtains a certificate releases its lock.
func TestStorageStoppedInstanceReleasesItsLock(t *testing.T) {
	t.Parallel()
	store := newStore(t, "s3")
	// Nothing listens at the port of this CA, so no order ends.
	ca := newAuthority(t, freePort(t))
	c := startCaddy(t, ca.site(freePort(t), "stopped"), append(store.env, "BUCKET="+store.address)...)
	require.Eventually(t, func() bool { return ca.orders() > 0 }, time.Minute, 10*time.Millisecond)
	require.NotEmpty(t, store.locks(t))

	require.NoError(t, c.process.Process.Signal(os.Interrupt))
	c.waitForEnd(t)
	require.Empty(t, store.locks(t))
}

// If the store does not answer, Caddy serves the certificate that it has loaded, and an instance that starts meanwhile
// logs why it has none.
func TestStorageStoreDoesNotAnswer(t *testing.T) {
	t.Parallel()
	store := newStore(t, "s3")
	env := append(store.env, "BUCKET="+store.address)
	port := freePort(t)
	ca := newAuthority(t, port)

	// An instance has loaded its certificate.
	startCaddy(t, ca.site(port, "hello"), env...)
	require.Eventually(t, func() bool { return ca.get(t, port) != "" }, time.Minute, 50*time.Millisecond)

	// From here on, the store delays each response by an hour. The instance still serves the certificate.
	store.server.Inject(s3server.Delay("", time.Hour))
	require.NotEmpty(t, ca.get(t, port))

	// An instance that starts now logs what it waits for, and no secret.
	second := startCaddy(t, ca.site(freePort(t), "second"), env...)
	second.waitFor(t, "caching certificate")
	require.NotContains(t, second.log.String(), s3server.DefaultSecretKey)
}

// If the store is full, Caddy orders no certificate, because it could not keep it.
func TestStorageFullStore(t *testing.T) {
	t.Parallel()
	server := s3server.ForTest(t, s3server.Config{Buckets: []string{"bucket"}, MaxBytes: 1})
	port := freePort(t)
	ca := newAuthority(t, port)
	c := startCaddy(t, ca.site(port, "hello"), append(server.Env(), "BUCKET="+server.Address("bucket"))...)
	c.waitFor(t, "failed storage check")
	require.Zero(t, ca.orders())
}

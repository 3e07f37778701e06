package s3command

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/internal/webserver"
)

// healthPath is the path of the health check.
const healthPath = "/healthz"

// healthPaths has the paths of the health check. These are healthPath and the paths that scripts
// and libraries request from other S3 servers.
var healthPaths = map[string]bool{
	healthPath:              true,
	"/minio/health/live":    true, // path of MinIO
	"/minio/health/ready":   true,
	"/minio/health/cluster": true,
	"/_localstack/health":   true, // path of LocalStack
	"/favicon.ico":          true, // path of Adobe S3Mock
}

// withHealth responds to health checks, and passes all other requests to the handler s3. Those include signed requests
// and requests with a query, because "healthz" and "minio" may be buckets, and requests at a subdomain of the domains,
// which stands for a bucket that may have the key "healthz".
func withHealth(domains []string, s3 http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isHealthCheck(r) || isSubdomain(r.Host, domains) {
			s3.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		_, _ = w.Write([]byte("ok\n"))
	})
}

// isHealthCheck reports whether a request is an unsigned read of one of healthPaths without a query.
func isHealthCheck(r *http.Request) bool {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	return healthPaths[r.URL.Path] && r.URL.RawQuery == "" && r.Header.Get("Authorization") == ""
}

// isSubdomain reports whether a host, which may have a port, is a subdomain of one of the domains and not itself one of
// them.
func isSubdomain(host string, domains []string) bool {
	host = webserver.HostName(host)
	isDomain := func(domain string) bool {
		return host == strings.ToLower(domain)
	}
	isBelow := func(domain string) bool {
		return strings.HasSuffix(host, "."+strings.ToLower(domain))
	}
	return !slices.ContainsFunc(domains, isDomain) && slices.ContainsFunc(domains, isBelow)
}

// patience is the time that CheckHealth waits for a response.
const patience = 5 * time.Second

// CheckHealth requests the health check of the server at address, and fails if the server does not respond with 200. It
// does not verify the certificate, because it sends no secrets.
func CheckHealth(ctx context.Context, address string) error {
	u, err := url.Parse(address)
	isURL := err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https")
	if !isURL {
		return argument.Invalid("--health", "must be the URL of a server", "write http://127.0.0.1:9000")
	}

	// Without a path, the address means the server, whose health check has a fixed path.
	if u.Path == "" || u.Path == "/" {
		u.Path = healthPath
	}

	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return err
	}
	// Unlike http.DefaultTransport, this Transport ignores HTTP_PROXY.
	client := http.Client{Transport: &http.Transport{
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true},
		DisableKeepAlives: true,
	}}

	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	// Only the status matters.
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %s", u.Redacted(), resp.Status)
	}
	return nil
}

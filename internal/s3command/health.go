package s3command

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/internal/hostname"
)

// healthPath is the path of the health check.
const healthPath = "/healthz"

// healthPaths are the paths that get a response without a signature: our own, and those
// that scripts and libraries for other S3 servers ask for.
var healthPaths = map[string]bool{
	healthPath:              true,
	"/minio/health/live":    true, // MinIO
	"/minio/health/ready":   true,
	"/minio/health/cluster": true,
	"/_localstack/health":   true, // LocalStack
	"/favicon.ico":          true, // Adobe S3Mock
}

// withHealth answers unsigned requests for healthPaths. With a signature or a query they
// are requests for S3, because "healthz" and "minio" may be buckets. At the host of a bucket or a
// website, a subdomain of one of domains, they are keys.
func withHealth(domains []string, s3 http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reads := r.Method == http.MethodGet || r.Method == http.MethodHead
		if !reads || !healthPaths[r.URL.Path] || r.URL.RawQuery != "" || r.Header.Get("Authorization") != "" ||
			isSubdomain(r.Host, domains) {
			s3.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		_, _ = w.Write([]byte("ok\n"))
	})
}

// isSubdomain reports whether a host, which may have a port, is in one of domains.
func isSubdomain(host string, domains []string) bool {
	host = hostname.Of(host)
	within := false
	for _, domain := range domains {
		domain = strings.ToLower(domain)
		if host == domain {
			return false
		}
		within = within || strings.HasSuffix(host, "."+domain)
	}
	return within
}

// patience is how long a server may take to answer a health check.
const patience = 5 * time.Second

// CheckHealth fails if the server at address is not healthy. It does not verify the
// certificate, because it sends and receives nothing that is secret.
func CheckHealth(ctx context.Context, address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return argument.Invalid("--health", "must be the URL of a server", "write http://127.0.0.1:9000")
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = healthPath
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return err
	}
	client := http.Client{Transport: &http.Transport{ // without the proxy of the environment
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true},
		DisableKeepAlives: true,
	}}
	response, err := client.Do(r)
	if err != nil {
		return err
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %s", u.Redacted(), response.Status)
	}
	return nil
}

package s3

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/wiretest"
	"github.com/omnibucket/storage/providers/s3/internal/signature"
)

// amazonByRegion responds like Amazon with one bucket, "photos" in eu-west-1.
type amazonByRegion struct {
	mu        sync.Mutex
	exists    bool
	asked     []string // region, method, and what of the bucket
	namespace string   // in which the last bucket was created
}

func (a *amazonByRegion) RoundTrip(r *http.Request) (*http.Response, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	region := signature.SignedRegion(&http.Response{Request: r})
	what := r.URL.Path
	for parameter := range r.URL.Query() {
		if parameter != "x-id" {
			what += "?" + parameter
		}
	}
	a.asked = append(a.asked, region+" "+r.Method+" "+what)
	response := func(status int, header, body string) (*http.Response, error) {
		h := http.Header{"Etag": {etag}}
		if header != "" {
			h.Set("X-Amz-Bucket-Region", header)
		}
		return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: r}, nil
	}
	const missing = "<Error><Code>%</Code></Error>"
	switch {
	case strings.HasPrefix(r.URL.Host, "s3."):
		return response(200, "", "<ListAllMyBucketsResult><Buckets><Bucket><Name>photos</Name><BucketRegion>eu-west-1</BucketRegion></Bucket></Buckets></ListAllMyBucketsResult>")
	case r.Method == http.MethodPut && r.URL.Path == "/" && !a.exists:
		a.exists, a.namespace = true, r.Header.Get("X-Amz-Bucket-Namespace")
		return response(200, "", "")
	case !a.exists:
		return response(404, "", "")
	case region != "eu-west-1" || !strings.Contains(r.URL.Host, ".eu-west-1."):
		return response(301, "eu-west-1", "<Error><Code>PermanentRedirect</Code></Error>")
	case r.URL.Query().Has("policy"):
		return response(404, "", strings.Replace(missing, "%", "NoSuchBucketPolicy", 1))
	case r.URL.Query().Has("cors"):
		return response(404, "", strings.Replace(missing, "%", "NoSuchCORSConfiguration", 1))
	case r.URL.Query().Has("lifecycle"):
		return response(404, "", strings.Replace(missing, "%", "NoSuchLifecycleConfiguration", 1))
	case r.Method == http.MethodGet:
		return response(200, "", "<VersioningConfiguration/>")
	}
	return response(200, "eu-west-1", "")
}

func newRegionService(t *testing.T, a *amazonByRegion) *serviceDriver {
	t.Helper()
	d, err := NewServiceDriver(t.Context(), Config{
		Region:      "us-east-1",
		AccessKeyID: "AKID",
		SecretKey:   "secret",
		HTTPClient:  &http.Client{Transport: a},
	})
	require.NoError(t, err)
	return d.(*serviceDriver)
}

// Requests go to the region of the bucket.
func TestRegionOfBucket(t *testing.T) {
	for name, see := range map[string]func(t *testing.T, s *serviceDriver, a *amazonByRegion){
		"created by this service": func(t *testing.T, s *serviceDriver, _ *amazonByRegion) {
			_, err := s.CreateBucket(t.Context(), &driver.BucketRequest{Name: "photos", Region: "eu-west-1"})
			require.NoError(t, err)
		},
		"listed": func(t *testing.T, s *serviceDriver, a *amazonByRegion) {
			a.exists = true
			_, _, err := s.ListBuckets(t.Context(), "")
			require.NoError(t, err)
		},
		"read by this service": func(t *testing.T, s *serviceDriver, a *amazonByRegion) {
			a.exists = true
			info, err := s.BucketInfo(t.Context(), "photos")
			require.NoError(t, err)
			require.Equal(t, "eu-west-1", info.Region)
		},
		"changed": func(t *testing.T, s *serviceDriver, a *amazonByRegion) {
			a.exists = true
			_, err := s.UpdateBucket(t.Context(), wiretest.BucketRequest(storage.WithVersioning(true)))
			require.NoError(t, err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			a := &amazonByRegion{}
			s := newRegionService(t, a)
			see(t, s, a)
			a.asked = nil
			d, err := s.Driver("photos")
			require.NoError(t, err)
			_, err = d.Put(t.Context(), wiretest.Put("k", "hello"))
			require.NoError(t, err)

			signedURL, err := d.(*objectDriver).Sign(t.Context(),
				wiretest.SignedUpload(func(*driver.SignRequest) {}))
			require.NoError(t, err)
			require.Contains(t, signedURL.URL, "photos.s3.eu-west-1.amazonaws.com")
			require.Contains(t, signedURL.URL, "%2Feu-west-1%2Fs3%2F")

			c, err := s.Credentials(t.Context(), "photos")
			require.NoError(t, err)
			require.Equal(t, "eu-west-1", c.Region)
			require.Equal(t, "https://s3.eu-west-1.amazonaws.com", c.Endpoint)

			require.NoError(t, s.DeleteBucket(t.Context(), "photos"))
			require.Equal(t, []string{"eu-west-1 PUT /k", "eu-west-1 DELETE /"}, a.asked)
			require.Equal(t, s.account.identity, d.(*objectDriver).account.identity,
				"the server copies between regions")
		})
	}
}

// A bucket is created in the namespace that its name says.
func TestCreateBucketNamespace(t *testing.T) {
	for name, want := range map[string]string{
		"photos":                             "",
		"photos-an":                          "",
		"photos-111122223333-eu-west-1-an":   "account-regional",
		"photos-11112222333-eu-west-1-an":    "",
		"photos-2026-111122223333-eu-west-1": "",
		"a-111122223333-us-gov-west-1-an":    "account-regional",
		"111122223333-eu-west-1-an":          "",
	} {
		a := &amazonByRegion{}
		_, err := newRegionService(t, a).CreateBucket(t.Context(), &driver.BucketRequest{
			Name:   name,
			Region: "eu-west-1",
		})
		require.NoError(t, err, name)
		require.Equal(t, want, a.namespace, name)
		b, err := storage.Open(t.Context(), "s3://"+name+"?region=eu-west-1&anonymous=true")
		require.NoError(t, err, name)
		require.NoError(t, storage.Close(b))
	}
}

// The response names the region of an unknown bucket.
func TestRegionOfUnknownBucket(t *testing.T) {
	a := &amazonByRegion{exists: true}
	s := newRegionService(t, a)
	require.NoError(t, s.DeleteBucket(t.Context(), "photos"))
	require.Equal(t, []string{"us-east-1 DELETE /", "eu-west-1 DELETE /"}, a.asked)
	require.Same(t, s.account, s.accountFor("photos"), "a deleted bucket may be created again in any region")
}

// With Config.Endpoint, requests are signed for Config.Region, whatever region the server names for a bucket.
func TestRegionOfOneEndpoint(t *testing.T) {
	s, w := newWireService(t, Config{Endpoint: "http://127.0.0.1:9000", Region: "here"}, map[string]string{
		"GET /?max-buckets": "200 <ListAllMyBucketsResult><Buckets><Bucket><Name>photos</Name><BucketRegion>there</BucketRegion></Bucket></Buckets></ListAllMyBucketsResult>",
	})
	_, _, err := s.ListBuckets(t.Context(), "")
	require.NoError(t, err)
	require.NoError(t, s.DeleteBucket(t.Context(), "photos"))
	require.Contains(t, w.headers["DELETE /photos"].Get("Authorization"), "/here/s3/")
}

// Each client of the SDK gets its own provider of session credentials, instead of a copy of another client's.
func TestExpressCredentialsOfClients(t *testing.T) {
	d, err := NewDriver(t.Context(), Config{
		Bucket:      "photos",
		Region:      "us-east-1",
		AccessKeyID: "key",
		SecretKey:   "secret",
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	a := d.(*objectDriver).account

	provider := a.client.Options().ExpressCredentials
	require.NotNil(t, provider)
	require.NotSame(t, provider, a.inRegion("eu-west-1").client.Options().ExpressCredentials)
	require.NotSame(t, provider, d.Native().(*awss3.Client).Options().ExpressCredentials)
}

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

// An amazonByRegion is a transport that responds like Amazon. Its only bucket is "photos" in
// eu-west-1.
type amazonByRegion struct {
	mu        sync.Mutex
	exists    bool
	requests  []string // "region method path?parameter"
	namespace string   // of the request that created the last bucket
}

// RoundTrip answers as Amazon does for the bucket "photos" in eu-west-1. It redirects a request that was
// signed for another region.
func (a *amazonByRegion) RoundTrip(r *http.Request) (*http.Response, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	region := signature.SignedRegion(&http.Response{Request: r})
	query := r.URL.Query()
	request := region + " " + r.Method + " " + r.URL.Path
	for parameter := range query {
		if parameter != "x-id" {
			request += "?" + parameter
		}
	}
	a.requests = append(a.requests, request)

	switch {
	case strings.HasPrefix(r.URL.Host, "s3."): // without a bucket
		return amazonResponse(r, 200, "", "<ListAllMyBucketsResult><Buckets><Bucket><Name>photos</Name>"+
			"<BucketRegion>eu-west-1</BucketRegion></Bucket></Buckets></ListAllMyBucketsResult>")
	case r.Method == http.MethodPut && r.URL.Path == "/" && !a.exists:
		a.exists = true
		a.namespace = r.Header.Get("X-Amz-Bucket-Namespace")
		return amazonResponse(r, 200, "", "")
	case !a.exists:
		return amazonResponse(r, 404, "", "")
	case region != "eu-west-1" || !strings.Contains(r.URL.Host, ".eu-west-1."):
		return amazonResponse(r, 301, "eu-west-1", "<Error><Code>PermanentRedirect</Code></Error>")
	case query.Has("policy"):
		return amazonResponse(r, 404, "", "<Error><Code>NoSuchBucketPolicy</Code></Error>")
	case query.Has("cors"):
		return amazonResponse(r, 404, "", "<Error><Code>NoSuchCORSConfiguration</Code></Error>")
	case query.Has("lifecycle"):
		return amazonResponse(r, 404, "", "<Error><Code>NoSuchLifecycleConfiguration</Code></Error>")
	case r.Method == http.MethodGet:
		return amazonResponse(r, 200, "", "<VersioningConfiguration/>")
	}
	return amazonResponse(r, 200, "eu-west-1", "")
}

// amazonResponse returns a response to r. If region is not empty, a header of the response names it
// as the region of the bucket.
func amazonResponse(r *http.Request, status int, region, body string) (*http.Response, error) {
	header := http.Header{"Etag": {etag}}
	if region != "" {
		header.Set("X-Amz-Bucket-Region", region)
	}
	return &http.Response{
		StatusCode:    status,
		Header:        header,
		Body:          io.NopCloser(strings.NewReader(body)),
		ContentLength: int64(len(body)),
		Request:       r,
	}, nil
}

// newRegionService opens an account in us-east-1. The transport a answers its requests.
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

// After a service has learned the region of a bucket, all requests and signatures for the bucket
// are for that region.
func TestRegionOfBucket(t *testing.T) {
	tests := []struct {
		name   string
		exists bool // the bucket, before learn
		learn  func(service *serviceDriver) error
	}{
		{
			name: "created by this service",
			learn: func(service *serviceDriver) error {
				_, err := service.CreateBucket(t.Context(), &driver.BucketRequest{
					Name:   "photos",
					Region: "eu-west-1",
				})
				return err
			},
		},
		{
			name:   "listed",
			exists: true,
			learn: func(service *serviceDriver) error {
				_, _, err := service.ListBuckets(t.Context(), "")
				return err
			},
		},
		{
			name:   "read by this service",
			exists: true,
			learn: func(service *serviceDriver) error {
				_, err := service.BucketInfo(t.Context(), "photos")
				return err
			},
		},
		{
			name:   "changed",
			exists: true,
			learn: func(service *serviceDriver) error {
				request := wiretest.BucketRequest(storage.WithVersioning(true))
				_, err := service.UpdateBucket(t.Context(), request)
				return err
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			amazon := &amazonByRegion{exists: tt.exists}
			service := newRegionService(t, amazon)
			require.NoError(t, tt.learn(service))
			amazon.requests = nil

			// A request for an object is signed for the region.
			d, err := service.Driver("photos")
			require.NoError(t, err)
			_, err = d.Put(t.Context(), wiretest.Put("k", "hello"))
			require.NoError(t, err)

			// A signed URL is for the region.
			request := wiretest.SignedUpload(func(*driver.SignRequest) {})
			signedURL, err := d.(*objectDriver).Sign(t.Context(), request)
			require.NoError(t, err)
			require.Contains(t, signedURL.URL, "photos.s3.eu-west-1.amazonaws.com")
			require.Contains(t, signedURL.URL, "%2Feu-west-1%2Fs3%2F")

			// The credentials name the region.
			credentials, err := service.Credentials(t.Context(), "photos")
			require.NoError(t, err)
			require.Equal(t, "eu-west-1", credentials.Region)
			require.Equal(t, "https://s3.eu-west-1.amazonaws.com", credentials.Endpoint)

			// A removal of the bucket is sent to the region.
			require.NoError(t, service.DeleteBucket(t.Context(), "photos"))
			require.Equal(t, []string{"eu-west-1 PUT /k", "eu-west-1 DELETE /"}, amazon.requests)

			// The service and the driver of the bucket have one account, because the server copies
			// between regions.
			require.Equal(t, service.account.identity, d.(*objectDriver).account.identity)
		})
	}
}

// BucketInfo returns the region that the response names.
func TestBucketInfoRegion(t *testing.T) {
	service := newRegionService(t, &amazonByRegion{exists: true})
	info, err := service.BucketInfo(t.Context(), "photos")
	require.NoError(t, err)
	require.Equal(t, "eu-west-1", info.Region)
}

// CreateBucket creates a bucket in the account's own namespace if the bucket's name ends with an
// account of twelve digits, a region and "an". The address of such a bucket is valid, too.
func TestCreateBucketNamespace(t *testing.T) {
	// The keys are names of buckets, and the values are the namespaces in the requests.
	for name, want := range map[string]string{
		"photos":                             "",
		"photos-an":                          "",
		"photos-111122223333-eu-west-1-an":   "account-regional",
		"photos-11112222333-eu-west-1-an":    "", // eleven digits
		"photos-2026-111122223333-eu-west-1": "", // no "an"
		"a-111122223333-us-gov-west-1-an":    "account-regional",
		"111122223333-eu-west-1-an":          "", // nothing before the account
	} {
		t.Run(name, func(t *testing.T) {
			amazon := &amazonByRegion{}
			service := newRegionService(t, amazon)
			_, err := service.CreateBucket(t.Context(), &driver.BucketRequest{Name: name, Region: "eu-west-1"})
			require.NoError(t, err)
			require.Equal(t, want, amazon.namespace)

			b, err := storage.Open(t.Context(), "s3://"+name+"?region=eu-west-1&anonymous=true")
			require.NoError(t, err)
			require.NoError(t, storage.Close(b))
		})
	}
}

// If the region of a bucket is unknown, a request is redirected, and sent again to the region that
// the response names. After a removal of the bucket, the region is forgotten, because the bucket
// may be created elsewhere.
func TestRegionOfUnknownBucket(t *testing.T) {
	amazon := &amazonByRegion{exists: true}
	service := newRegionService(t, amazon)
	require.NoError(t, service.DeleteBucket(t.Context(), "photos"))
	require.Equal(t, []string{"us-east-1 DELETE /", "eu-west-1 DELETE /"}, amazon.requests)
	require.Same(t, service.account, service.accountFor("photos"), "the region must be forgotten")
}

// With Config.Endpoint, requests are signed for Config.Region, even if the server names another
// region for a bucket.
func TestRegionOfOneEndpoint(t *testing.T) {
	c := Config{Endpoint: "http://127.0.0.1:9000", Region: "here"}
	service, transport := newScriptedService(t, c, map[string]string{
		"GET /?max-buckets": "200 <ListAllMyBucketsResult><Buckets><Bucket><Name>photos</Name>" +
			"<BucketRegion>there</BucketRegion></Bucket></Buckets></ListAllMyBucketsResult>",
	})

	_, _, err := service.ListBuckets(t.Context(), "")
	require.NoError(t, err)
	require.NoError(t, service.DeleteBucket(t.Context(), "photos"))

	require.Contains(t, transport.headers["DELETE /photos"].Get("Authorization"), "/here/s3/")
}

// For directory buckets (S3 Express), the SDK has a provider of session credentials. Each client of
// the SDK gets its own provider, and not a copy of another client's.
func TestExpressCredentialsOfClients(t *testing.T) {
	d, err := NewDriver(t.Context(), Config{
		Bucket:      "photos",
		Region:      "us-east-1",
		AccessKeyID: "key",
		SecretKey:   "secret",
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })

	account := d.(*objectDriver).account
	provider := account.client.Options().ExpressCredentials
	require.NotNil(t, provider)
	require.NotSame(t, provider, account.inRegion("eu-west-1").client.Options().ExpressCredentials)
	require.NotSame(t, provider, d.Native().(*awss3.Client).Options().ExpressCredentials)
}

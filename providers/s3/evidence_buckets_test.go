package s3

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// A portal is a transport that answers every request with one page, as a login page of a network does.
type portal struct {
	contentType string
	page        string
	hasHeader   bool // the response has a header of the protocol
}

// RoundTrip answers with status 200 and the page. To a HEAD, it sends only the length of the page.
func (p portal) RoundTrip(r *http.Request) (*http.Response, error) {
	header := http.Header{}
	if p.contentType != "" {
		header.Set("Content-Type", p.contentType)
	}
	if p.hasHeader {
		header.Set("X-Amz-Request-Id", "R1")
	}
	page := p.page
	if r.Method == http.MethodHead {
		page = ""
	}
	return &http.Response{
		StatusCode:    http.StatusOK,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        header,
		Request:       r,
		Body:          io.NopCloser(strings.NewReader(page)),
		ContentLength: int64(len(p.page)),
	}, nil
}

// accountAt opens an account whose requests go to a transport.
func accountAt(t *testing.T, transport http.RoundTripper) *serviceDriver {
	t.Helper()
	d, err := NewServiceDriver(t.Context(), Config{
		AccessKeyID: "AKID",
		SecretKey:   "secret",
		Region:      "eu-west-1",
		HTTPClient:  &http.Client{Transport: transport},
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d.(*serviceDriver)
}

// bucketCalls has the calls of a service. The keys are their names.
var bucketCalls = map[string]func(t *testing.T, s *serviceDriver) error{
	"ListBuckets": func(t *testing.T, s *serviceDriver) error {
		_, _, err := s.ListBuckets(t.Context(), "")
		return err
	},
	"CreateBucket": func(t *testing.T, s *serviceDriver) error {
		_, err := s.CreateBucket(t.Context(), &driver.BucketRequest{Name: "photos"})
		return err
	},
	"DeleteBucket": func(t *testing.T, s *serviceDriver) error {
		return s.DeleteBucket(t.Context(), "photos")
	},
	"BucketInfo": func(t *testing.T, s *serviceDriver) error {
		_, err := s.BucketInfo(t.Context(), "photos")
		return err
	},
	"UpdateBucket": func(t *testing.T, s *serviceDriver) error {
		_, err := s.UpdateBucket(t.Context(), &driver.BucketRequest{Name: "photos", Versioning: new(bool)})
		return err
	},
}

// Each call of a Service fails with Unavailable if a proxy answers with a web page. The page may
// even have a header of the S3 protocol.
func TestServiceRefusesWebPage(t *testing.T) {
	pages := map[string]portal{
		"login page": {
			contentType: "text/html",
			page:        "<!DOCTYPE html><html><body>Log in</body></html>",
		},
		"login page without a Content-Type":  {page: "<html><body>Log in</body></html>"},
		"login page that begins with a line": {page: "\n<HTML></HTML>"},
		"JSON":                               {contentType: "application/json", page: "{}"},
		"text":                               {contentType: "text/plain", page: "please log in"},
	}
	for name, page := range pages {
		t.Run(name, func(t *testing.T) {
			requireServiceRefuses(t, page)
		})
		t.Run(name+" with a header of S3", func(t *testing.T) {
			withHeader := page
			withHeader.hasHeader = true
			requireServiceRefuses(t, withHeader)
		})
	}
}

// requireServiceRefuses requires that each call of a service fails if the portal answers it.
func requireServiceRefuses(t *testing.T, page portal) {
	t.Helper()
	for name, call := range bucketCalls {
		err := call(t, accountAt(t, page))
		require.ErrorIs(t, err, storage.Unavailable, name)
		require.ErrorContains(t, err, "not that of an S3 server", name)
	}
}

// The response to a request for a bucket may lack the headers of the S3 protocol, because Garage,
// R2 and others send none with buckets.
func TestServiceWithoutHeaders(t *testing.T) {
	for name, response := range map[string]portal{
		"no document": {},
		"a document": {
			contentType: "application/xml",
			page:        `<?xml version="1.0"?><VersioningConfiguration/>`,
		},
		"no document, but a header and a type, as Google sends": {contentType: "text/html", hasHeader: true},
	} {
		for _, call := range []string{"DeleteBucket", "UpdateBucket"} {
			t.Run(name+", "+call, func(t *testing.T) {
				require.NoError(t, bucketCalls[call](t, accountAt(t, response)))
			})
		}
	}
}

// A listing of buckets needs no header of the S3 protocol, because its XML document already shows that an S3 server
// has sent it.
func TestListBucketsWithoutHeaders(t *testing.T) {
	listing := portal{
		contentType: "application/xml",
		page:        `<?xml version="1.0"?><ListAllMyBucketsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Buckets/></ListAllMyBucketsResult>`,
	}

	page, _, err := accountAt(t, listing).ListBuckets(t.Context(), "")
	require.NoError(t, err)
	require.Empty(t, page)
}

// ListParts and ListUploads fail with Unavailable if a proxy answers with a web page.
func TestListPartsRefusesWebPage(t *testing.T) {
	site := portal{contentType: "text/html", page: "<html></html>"}
	opened, err := accountAt(t, site).Driver("photos")
	require.NoError(t, err)
	d := opened.(*objectDriver)

	_, err = d.ListParts(t.Context(), &driver.ListPartsRequest{Key: "k", Upload: "u", Limit: 10})
	require.ErrorIs(t, err, storage.Unavailable)

	_, err = d.ListUploads(t.Context(), &driver.ListUploadsRequest{Limit: 10})
	require.ErrorIs(t, err, storage.Unavailable)
}

// MinIO sends X-Amz-Request-Id with every response. Delete fails with Unavailable for a 204 without
// this header. Such a response may come from a captive portal (the login page of a network) instead
// of the server.
func TestDeleteRefusesPortal204(t *testing.T) {
	remove := func(t *testing.T, header map[string]string) error {
		server := newStandIn(t, reply{Status: http.StatusNoContent, Header: header})
		return server.openDriver(t, "minio").Delete(t.Context(), &driver.DeleteRequest{Key: "k"})
	}

	t.Run("a portal", func(t *testing.T) {
		err := remove(t, nil)
		require.ErrorIs(t, err, storage.Unavailable)
		require.ErrorIs(t, err, storage.OutcomeUnknown)
	})
	t.Run("the server", func(t *testing.T) {
		require.NoError(t, remove(t, map[string]string{"X-Amz-Request-Id": "R1"}))
	})
}

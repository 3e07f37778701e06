package s3

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/wiretest"
)

// If an endpoint answers each request with status 200 and no sign of S3, for example with a login
// page, each call fails with Unavailable.
func TestResponseWithoutEvidence(t *testing.T) {
	calls := map[string]struct {
		write bool // its outcome is unknown
		do    func(d *objectDriver) error
	}{
		"Put": {true, func(d *objectDriver) error {
			_, err := d.Put(t.Context(), wiretest.Put("k", "hello"))
			return err
		}},
		"PutPart": {false, func(d *objectDriver) error {
			_, err := d.PutPart(t.Context(), &driver.PartRequest{
				Key:    "k",
				Upload: "u",
				Number: 1,
				Body:   strings.NewReader("hello"),
				Size:   5,
			})
			return err
		}},
		"Begin": {false, func(d *objectDriver) error {
			_, err := d.BeginParts(t.Context(), wiretest.Put("k", "hello"))
			return err
		}},
		"Complete": {true, func(d *objectDriver) error {
			_, err := d.CompleteParts(t.Context(), &driver.CompleteRequest{
				Put:    &driver.PutRequest{Key: "k"},
				Upload: "u",
				Parts:  []driver.Part{{Number: 1, Tag: etag}},
			})
			return err
		}},
		"Copy": {true, func(d *objectDriver) error {
			_, err := d.Copy(t.Context(), &driver.CopyRequest{
				Key:    "k",
				Source: driver.ObjectRef{Bucket: "photos", Key: "from", Revision: etag},
			})
			return err
		}},
		"Delete": {
			write: true,
			do:    func(d *objectDriver) error { return d.Delete(t.Context(), &driver.DeleteRequest{Key: "k"}) },
		},
		"DeleteBatch": {
			write: true,
			do:    func(d *objectDriver) error { return d.DeleteBatch(t.Context(), []driver.DeleteRequest{{Key: "k"}})[0] },
		},
		"SetTags": {
			write: true,
			do:    func(d *objectDriver) error { return d.SetTags(t.Context(), &driver.ChangeRequest{Key: "k"}) },
		},
		"SetRetention": {
			write: true,
			do:    func(d *objectDriver) error { return d.SetRetention(t.Context(), &driver.ChangeRequest{Key: "k"}) },
		},
		"SetLegalHold": {
			write: true,
			do:    func(d *objectDriver) error { return d.SetLegalHold(t.Context(), &driver.ChangeRequest{Key: "k"}) },
		},
		"Tags": {false, func(d *objectDriver) error {
			_, err := d.Tags(t.Context(), &driver.GetRequest{Key: "k"})
			return err
		}},
		"Head": {false, func(d *objectDriver) error {
			_, err := d.Head(t.Context(), &driver.GetRequest{Key: "k", Length: -1})
			return err
		}},
		"Get": {false, func(d *objectDriver) error {
			_, body, err := d.Get(t.Context(), &driver.GetRequest{Key: "k", Length: -1})
			if err == nil {
				_, _ = io.Copy(io.Discard, body)
				_ = body.Close()
			}
			return err
		}},
		"ListUploads": {false, func(d *objectDriver) error {
			_, err := d.ListUploads(t.Context(), &driver.ListUploadsRequest{Limit: 1})
			return err
		}},
		"ListParts": {false, func(d *objectDriver) error {
			_, err := d.ListParts(t.Context(), &driver.ListPartsRequest{Key: "k", Upload: "u", Limit: 1})
			return err
		}},
		"Versions": {false, func(d *objectDriver) error {
			_, err := d.ListVersions(t.Context(), &driver.ListRequest{Limit: 1})
			return err
		}},
		"List": {false, func(d *objectDriver) error {
			_, err := d.List(t.Context(), &driver.ListRequest{Limit: 1})
			return err
		}},
	}
	header := map[string]string{"X-Amz-Request-Id": "R1"}
	html := map[string]string{"X-Amz-Request-Id": "R1", "Content-Type": "text/html"}
	json := map[string]string{"X-Amz-Request-Id": "R1", "Content-Type": "application/json"}

	for answer, r := range map[string]reply{
		"a login page":     {Body: "<html><body>Log in</body></html>"},
		"JSON":             {Body: "{}"},
		"nothing":          {},
		"another document": {Body: "<Welcome></Welcome>"},
		"a page of CloudFront": {
			Header: map[string]string{"X-Amz-Cf-Id": "x", "X-Amz-Cf-Pop": "FRA56-P1"},
			Body:   "<html></html>",
		},
		"a login page with a header of the protocol": {
			Header: html,
			Body:   "<html><body>Log in</body></html>",
		},
		"JSON with a header of the protocol":             {Header: json, Body: "{}"},
		"another document with a header of the protocol": {Header: header, Body: "<Welcome></Welcome>"},
		"a page of API Gateway": {
			Header: map[string]string{"X-Amz-Apigw-Id": "x", "X-Amzn-Requestid": "x"},
			Body:   `{"message":"Forbidden"}`,
		},
	} {
		for name, call := range calls {
			if anyDocument := strings.HasPrefix(name, "Set") || name == "Delete" || name == "Head" || name == "Get"; anyDocument && strings.HasPrefix(answer, "another document with") {
				continue // servers may send one
			}
			t.Run(name+", "+answer, func(t *testing.T) {
				server := &standIn{wiretest.NewServer(t, r)}
				err := call.do(server.openDriver(t, "aws"))
				require.ErrorIs(t, err, storage.Unavailable)
				if name != "List" && name != "Versions" {
					require.Equal(t, call.write, errors.Is(err, storage.OutcomeUnknown))
				}
			})
		}
	}
}

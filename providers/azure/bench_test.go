package azure

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"

	"github.com/omnibucket/storage/driver"
)

// nowhere responds to every write at once, so that the benchmark measures only
// the driver and the SDK.
type nowhere struct{}

// RoundTrip reads the body and returns 201.
func (nowhere) RoundTrip(r *http.Request) (*http.Response, error) {
	_, _ = io.Copy(io.Discard, r.Body)
	_ = r.Body.Close()
	return &http.Response{
		StatusCode: http.StatusCreated,
		Header:     http.Header{"Etag": {etag}, "Last-Modified": {lastModified}},
		Body:       http.NoBody,
		Request:    r,
	}, nil
}

// BenchmarkPut compares uploads of 1 KiB by the driver with uploads by the SDK alone.
func BenchmarkPut(b *testing.B) {
	data := make([]byte, 1024)
	client := &http.Client{Transport: nowhere{}}

	b.Run("1KiB", func(b *testing.B) {
		bucket, err := Open(b.Context(), Config{
			Bucket:     "photos",
			Endpoint:   emulatorEndpoint,
			HTTPClient: client,
		})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			if _, err := bucket.Upload(b.Context(), "a.txt", bytes.NewReader(data)); err != nil {
				b.Fatal(err)
			}
		}
	})

	b.Run("1KiB of unknown length", func(b *testing.B) {
		bucket, err := Open(b.Context(), Config{
			Bucket:     "photos",
			Endpoint:   emulatorEndpoint,
			HTTPClient: client,
		})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			if _, err := bucket.Upload(b.Context(), "a.txt", io.MultiReader(bytes.NewReader(data))); err != nil {
				b.Fatal(err)
			}
		}
	})

	b.Run("1KiB, the SDK alone", func(b *testing.B) {
		key, err := service.NewSharedKeyCredential(emulatorAccount, emulatorKey)
		if err != nil {
			b.Fatal(err)
		}
		sdk, err := service.NewClientWithSharedKeyCredential(emulatorEndpoint, key,
			&service.ClientOptions{ClientOptions: azcore.ClientOptions{Transport: client}})
		if err != nil {
			b.Fatal(err)
		}
		photos := sdk.NewContainerClient("photos")
		b.ReportAllocs()
		for b.Loop() {
			if _, err := photos.NewBlockBlobClient("a.txt").Upload(b.Context(), streaming.NopCloser(bytes.NewReader(data)), nil); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkList parses a page of 1,000 blobs that have metadata.
func BenchmarkList(b *testing.B) {
	var entries []string
	for i := range 1000 {
		entries = append(entries,
			blobEntry(fmt.Sprintf("images/photo-%04d.jpg", i), `<Metadata><omnibucket_crc32c>9a71bb4c-5</omnibucket_crc32c></Metadata>`))
	}
	page := listing("", entries...).Body
	d, err := NewDriver(b.Context(), Config{
		Bucket:     "photos",
		Endpoint:   emulatorEndpoint,
		HTTPClient: &http.Client{Transport: pageOf(page)},
	})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.List(b.Context(), &driver.ListRequest{Limit: 1000}); err != nil {
			b.Fatal(err)
		}
	}
}

// A pageOf is a transport that responds to each request with the same page of a listing.
type pageOf string

// RoundTrip returns the page, whatever the request is.
func (p pageOf) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: http.StatusOK,
		Header:     http.Header{"Content-Type": {"application/xml"}},
		Body:       io.NopCloser(strings.NewReader(string(p))),
		Request:    r,
	}, nil
}

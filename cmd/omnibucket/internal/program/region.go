package program

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/location"
)

const (
	// regionTime limits the time of the request that finds a bucket's region.
	regionTime = 10 * time.Second
	// accountRegion is the region for requests to a whole account of Amazon.
	accountRegion = "us-east-1"
)

// RegionServer is Amazon's server, which tells the region of any bucket.
var RegionServer = "https://s3.amazonaws.com"

// InRegion calls open. If that fails because the address of l lacks a region, InRegion asks Amazon for
// the region and calls open again.
func InRegion[T any](ctx context.Context, l location.Location, open func(l location.Location) (T, error)) (T, error) {
	result, err := open(l)
	if err == nil {
		return result, nil
	}
	regional, ok := withRegion(ctx, l, err)
	if !ok {
		return result, err
	}
	return open(regional)
}

// withRegion returns the location with the region of its bucket, if err says that the address lacks a
// region and Amazon knows it.
func withRegion(ctx context.Context, l location.Location, err error) (result location.Location, ok bool) {
	lacksRegion := storage.CodeOf(err) == storage.InvalidArgument &&
		strings.Contains(err.Error(), "region is not known")
	if l.Scheme != "s3" || !lacksRegion {
		return l, false
	}
	region := accountRegion // a whole account has no region of its own
	if l.Kind != location.Account {
		region = regionOf(ctx, l.Host)
	}
	return l.WithDefault("region", region), region != ""
}

// regionOf asks Amazon for the region of a bucket, and returns "" if there is no answer. The request
// needs no signature, because even a response that denies access contains the region.
func regionOf(ctx context.Context, bucket string) string {
	ctx, cancel := context.WithTimeout(ctx, regionTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, RegionServer+"/"+url.PathEscape(bucket), nil)
	if err != nil {
		return ""
	}

	// A redirect has the region in its own header, so it need not be followed.
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		return ""
	}
	// The response to a HEAD request has no body.
	_ = resp.Body.Close()
	client.CloseIdleConnections()
	return resp.Header.Get("x-amz-bucket-region")
}

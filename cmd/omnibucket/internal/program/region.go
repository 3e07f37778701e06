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
	// regionTime limits the time of the request for a region.
	regionTime = 10 * time.Second
	// accountRegion is the region for requests to a whole account of Amazon.
	accountRegion = "us-east-1"
)

// RegionServer is Amazon's server, which tells the region of any bucket.
var RegionServer = "https://s3.amazonaws.com"

// InRegion opens a location. If that fails because the address needs a region, it opens the location
// again with the region that Amazon tells.
func InRegion[T any](ctx context.Context, l location.Location, open func(l location.Location) (T, error)) (T, error) {
	opened, err := open(l)
	if err == nil {
		return opened, nil
	}
	with, found := withRegion(ctx, l, err)
	if !found {
		return opened, err
	}
	return open(with)
}

// withRegion returns the address of a location with the region that Amazon tells, if err says
// that opening it needs one.
func withRegion(ctx context.Context, l location.Location, err error) (with location.Location, found bool) {
	if l.Scheme != "s3" || storage.CodeOf(err) != storage.InvalidArgument ||
		!strings.Contains(err.Error(), "region is not known") {
		return l, false
	}
	region := accountRegion
	if l.Kind != location.Account {
		region = regionOf(ctx, l.Host)
	}
	return l.WithDefault("region", region), region != ""
}

// regionOf returns the region of a bucket, or "" if Amazon does not tell. The request is not
// signed: the response to a refused one has the region, too.
func regionOf(ctx context.Context, bucket string) string {
	ctx, cancel := context.WithTimeout(ctx, regionTime)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodHead, RegionServer+"/"+url.PathEscape(bucket), nil)
	if err != nil {
		return ""
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Do(request)
	if err != nil {
		return ""
	}
	_ = response.Body.Close() // of a HEAD request, which has none
	client.CloseIdleConnections()
	return response.Header.Get("x-amz-bucket-region")
}

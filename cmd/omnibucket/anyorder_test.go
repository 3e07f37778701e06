package main

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/memstore"
)

func init() {
	d := memstore.NewDriver(memstore.Config{AnyOrder: true})
	engine.Register("anyorder", driver.Opener{Driver: func(context.Context, *url.URL) (driver.Driver, error) { return d, nil }})
}

// find and du count folders even if the bucket lists in no order, as S3's directory buckets do.
func TestFindAndDuListInAnyOrder(t *testing.T) {
	s := newShell(t)
	s.env["OMNIBUCKET_BOX"] = "anyorder://box"
	for i := range 8 {
		s.put(fmt.Sprintf("box:photos%d/x", i), "1")
		s.put(fmt.Sprintf("box:photos/%d/a", i), "22")
		s.put(fmt.Sprintf("box:photos/%d/b", i), "333")
		s.put(fmt.Sprintf("box:both%d", i), "1")
		s.put(fmt.Sprintf("box:both%d/x", i), "1")
	}

	var want strings.Builder
	for i := range 8 {
		fmt.Fprintf(&want, "5 2 photos/%d/\n", i)
		require.Equal(t, fmt.Sprintf("both%d\n", i), s.ok("find", fmt.Sprintf("box:both%d", i)), "the object, and not the folder")
	}

	want.WriteString("40 16 photos/\n")
	var got strings.Builder
	for line := range strings.Lines(s.ok("du", "--depth", "1", "box:photos")) {
		got.WriteString(strings.Join(strings.Fields(line), " ") + "\n")
	}
	require.Equal(t, want.String(), got.String())
}

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

// If a key is an object and a folder, find prints the object, even if the bucket lists in no order.
func TestFindListsInAnyOrder(t *testing.T) {
	s := newShell(t)
	s.setLocation("box", "anyorder://box")
	for i := range 8 {
		key := fmt.Sprintf("both%d", i)
		s.put("box:"+key, "1")
		s.put("box:"+key+"/x", "1")
	}

	for i := range 8 {
		key := fmt.Sprintf("both%d", i)
		require.Equal(t, key+"\n", s.run("find", "box:"+key))
	}
}

// du adds up folders even if the bucket lists in no order, as S3's directory buckets do.
func TestDuListsInAnyOrder(t *testing.T) {
	const folders = 8
	s := newShell(t)
	s.setLocation("box", "anyorder://box") // a bucket that lists in no order
	for i := range folders {
		s.put(fmt.Sprintf("box:photos/%d/a", i), "22")
		s.put(fmt.Sprintf("box:photos/%d/b", i), "333")
		// This key begins with the name of the folder photos, but is not in that folder.
		s.put(fmt.Sprintf("box:photos%d/x", i), "1")
	}

	// A line has the number of bytes, the number of objects and a name.
	var want []string
	for i := range folders {
		want = append(want, fmt.Sprintf("5 2 photos/%d/", i))
	}
	want = append(want, fmt.Sprintf("%d %d photos/", 5*folders, 2*folders))

	var got []string
	for _, line := range splitLines(s.run("du", "--depth", "1", "box:photos")) {
		got = append(got, strings.Join(strings.Fields(line), " "))
	}
	require.Equal(t, want, got)
}

package limit_test

import (
	"context"
	"fmt"
	"log"
	"strings"

	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/layers/limit"
	"github.com/omnibucket/storage/memstore"
)

// By day, the backup leaves bandwidth to others.
func Example() {
	timetable, err := limit.Parse("08:00,512K 19:00,off")
	if err != nil {
		log.Fatal(err)
	}
	layer, err := limit.New(limit.Config{Bytes: timetable})
	if err != nil {
		log.Fatal(err)
	}
	bucket := memstore.New(driver.WithLayer(layer))
	attrs, err := bucket.Upload(context.Background(), "backup", strings.NewReader("hello"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(attrs.Size)
	// Output: 5
}

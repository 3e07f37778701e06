package bandwidth_test

import (
	"context"
	"fmt"
	"log"
	"strings"

	"github.com/omnibucket/storage/bandwidth"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/memstore"
)

// By day, the backup leaves bandwidth to others.
func Example() {
	timetable, err := bandwidth.Parse("08:00,512K 19:00,off")
	if err != nil {
		log.Fatal(err)
	}
	limiter := bandwidth.NewLimiter(timetable)
	bucket := memstore.New(driver.WithLayer(limiter.Layer))
	attrs, err := bucket.Upload(context.Background(), "backup", strings.NewReader("hello"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(attrs.Size)
	// Output: 5
}

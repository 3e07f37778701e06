package locations_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/locations"
)

// A program opens a bucket by its name. The file of OMNIBUCKET_CONFIG, or that of the user, says where the bucket is.
func ExampleOpen() {
	ctx := context.Background()
	_ = os.Setenv("OMNIBUCKET_PHOTOS", "mem://photos") // in place of a file
	photos, err := locations.Open(ctx, "photos")
	if err != nil {
		log.Fatal(err)
	}
	defer func() {
		_ = storage.Close(photos)
	}()
	if _, err := photos.Upload(ctx, "cat.txt", strings.NewReader("a cat")); err != nil {
		log.Fatal(err)
	}
	text, _, err := storage.ReadAll(ctx, photos, "cat.txt")
	fmt.Printf("%s, %v\n", text, err)
	// Output: a cat, <nil>
}

// A program that has its settings elsewhere makes the configuration itself.
func ExampleConfig() {
	ctx := context.Background()
	c := &locations.Config{Locations: map[string]locations.Location{
		"reports": {Address: "mem://reports", Layers: []locations.Layer{{Name: "readonly"}}},
	}}
	reports, err := c.Open(ctx, "reports")
	if err != nil {
		log.Fatal(err)
	}
	defer func() {
		_ = storage.Close(reports)
	}()
	err = reports.Remove(ctx, "2026.csv")
	fmt.Println(storage.CodeOf(err))
	// Output: permission denied
}

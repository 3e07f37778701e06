// Inside gives reflection values that have a bucket in them.
package main

import (
	"archive/zip"
	"context"
	"log"
	"os"
	"reflect"
	"text/template"

	"github.com/omnibucket/storage"
)

func open(address string) storage.Bucket {
	b, err := storage.Open(context.Background(), address)
	if err != nil {
		log.Fatal(err)
	}
	return b
}

type page struct {
	Title  string
	Bucket storage.Bucket
}

type site struct{ Pages []*page }

func main() {
	t := template.New("")
	_ = t.Execute(os.Stdout, page{"a", open("s3://struct")})
	_ = t.Execute(os.Stdout, &page{"a", open("s3://pointer")})
	_ = t.Execute(os.Stdout, map[string]any{"b": open("s3://map"), "text": "a"})
	_ = t.Execute(os.Stdout, map[string]any{"page": page{"a", open("s3://struct-in-map")}})
	_ = t.Execute(os.Stdout, []storage.Bucket{open("s3://slice")})
	reflect.ValueOf(site{[]*page{{"a", open("s3://nested")}}})
	reflect.ValueOf(map[string]any{"text": os.Args})
	archive()
}

// archive passes a value of the library. Nobody else reaches the bucket in its unexported field.
func archive() {
	r, err := storage.NewReaderAt(context.Background(), open("s3://archive"), "a.zip")
	if err != nil {
		log.Fatal(err)
	}
	_, _ = zip.NewReader(r, r.Size())
}

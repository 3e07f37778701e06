// Unknown uses buckets that nobody can know from the code.
package main

import (
	"context"
	"log"
	"os"
	"reflect"
	"strings"
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

type key struct{}

func main() {
	ctx := context.WithValue(context.Background(), key{}, open("s3://in-context"))
	fromEnv := open(os.Getenv("BUCKET"))
	_, _ = fromEnv.Upload(ctx, "a", strings.NewReader("text"))
	_ = ctx.Value(key{}).(storage.Bucket).Remove(ctx, "a")
	reflected := open("s3://reflected")
	reflect.ValueOf(reflected).MethodByName("Remove")
	_ = template.New("").Execute(os.Stdout, open("s3://template"))
	_, _ = storage.As[*os.Root](open("s3://native"))
	callback(storage.ReadAll)
}

func callback(any) {}

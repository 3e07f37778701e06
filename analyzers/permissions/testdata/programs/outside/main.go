// Outside gives buckets, and functions and types that use them, to a package that does not import the library.
package main

import (
	"context"
	"log"
	"sync"

	"github.com/omnibucket/storage"

	"example.com/programs/outside"
)

func open(address string) storage.Bucket {
	b, err := storage.Open(context.Background(), address)
	if err != nil {
		log.Fatal(err)
	}
	return b
}

var (
	ctx  = context.Background()
	jobs = open("s3://jobs")
)

type job struct{}

func (job) Run() { _ = jobs.Remove(ctx, "a") }

func (job) RunOf() { _, _ = jobs.Exists(ctx, "a") }

func (job) RunWith(int) { _, _ = storage.Tags(ctx, jobs, "a") }

type app struct{ bucket storage.Bucket }

func main() {
	outside.Remove[storage.RemoveOption](ctx, open("s3://interface"))
	outside.RemoveIn[storage.RemoveOption](ctx, open("s3://parameter"))
	outside.Run(job{})
	outside.RunOf(job{})
	outside.RunWith(job{}, 1)

	visit := func(_, v any) bool { return v.(storage.Bucket).Remove(ctx, "a") == nil }
	visit("", open("s3://visited"))
	var others sync.Map
	others.Store("", open("s3://in-map"))
	others.Range(visit)
	look := func(b storage.Bucket) { _, _ = b.Attrs(ctx, "a") }
	look(open("s3://looked"))
	outside.Call(look, open("s3://called"))

	var filled app
	outside.Fill(&filled)
	_ = filled.bucket.Remove(ctx, "a")
	outside.Slot = open("s3://slot")
	_ = outside.Slot.(storage.Bucket).Remove(ctx, "a")
}

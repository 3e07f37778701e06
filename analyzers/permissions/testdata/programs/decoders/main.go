// Decoders has methods that only decoders, templates and reflection call.
package main

import (
	"context"
	"encoding/json"
	"html/template"
	"log"
	"net/rpc"
	"os"
	"reflect"

	"github.com/omnibucket/storage"
)

func open(address string) storage.Bucket {
	b, err := storage.Open(context.Background(), address)
	if err != nil {
		log.Fatal(err)
	}
	return b
}

var (
	ctx    = context.Background()
	photos = open("s3://photos")
)

type config struct {
	One  one
	Many map[string]*many
}

type one struct{}

func (*one) UnmarshalJSON([]byte) error { return photos.Remove(ctx, "a") }

type many struct{}

func (*many) UnmarshalText([]byte) error {
	_, err := photos.Exists(ctx, "a")
	return err
}

type page struct{ Part part }

type part struct{}

func (part) Tags() (map[string]string, error) { return storage.Tags(ctx, photos, "a") }

type service struct{}

func (*service) Move(int, *int) error {
	_, err := storage.Move(ctx, photos, "b", "a")
	return err
}

type task struct{}

func (task) Hold() error { return storage.SetLegalHold(ctx, photos, "a", true) }

func main() {
	var c config
	_ = json.Unmarshal(nil, &c)
	_ = template.New("").Execute(os.Stdout, page{})
	_ = rpc.Register(&service{})
	reflect.ValueOf(task{}).MethodByName("Hold").Call(nil)
}

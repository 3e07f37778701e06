// Athens keeps the modules of Athens, a proxy for Go modules, in any store. Athens asks it over HTTP:
//
//	go run ./examples/athens [-listen ADDRESS] [-bucket ADDRESS]
//	ATHENS_STORAGE_TYPE=external ATHENS_EXTERNAL_STORAGE_URL=http://localhost:3001 athens-proxy
package main

import (
	"context"
	"flag"
	"log"
	"net/http"
	"time"

	"github.com/omnibucket/storage"
	_ "github.com/omnibucket/storage/memstore"        // mem://
	_ "github.com/omnibucket/storage/providers/local" // file:///
	_ "github.com/omnibucket/storage/providers/s3"    // s3://
)

func main() {
	listen := flag.String("listen", "localhost:3001", "address to listen on, only for Athens: it asks without credentials")
	address := flag.String("bucket", "mem://modules", "address of the bucket")
	flag.Parse()
	bucket, err := storage.Open(context.Background(), *address)
	if err != nil {
		log.Fatal(err)
	}
	log.Printf("http://%s keeps modules in %s", *listen, *address)
	server := &http.Server{Addr: *listen, Handler: modules{bucket}, ReadHeaderTimeout: time.Minute}
	log.Fatal(server.ListenAndServe())
}

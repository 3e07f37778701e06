package cdn_test

import (
	"context"
	"fmt"
	"log"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cdn"
	"github.com/omnibucket/storage/memstore"
)

// link returns a signed URL. It accepts a bucket, and also the signer of a CDN.
func link(ctx context.Context, s storage.SignedDownloader) (string, error) {
	signedURL, err := s.SignedDownloadURL(ctx, "photos/1.jpg", storage.WithTTL(10*time.Minute))
	if err != nil {
		return "", err
	}
	return signedURL.URL, nil
}

func Example() {
	signer, err := cdn.NewCloudCDNSigner(cdn.CloudCDNConfig{
		BaseURL: "https://cdn.example.com/",
		KeyName: "my-key",
		Key:     "nZtRohdNF9m3cKM24IcK4w==",
	})
	if err != nil {
		log.Fatal(err)
	}
	address, err := link(context.Background(), signer)
	if err != nil {
		log.Fatal(err)
	}
	base, _, _ := strings.Cut(address, "?")
	fmt.Println(base)
	// Output: https://cdn.example.com/photos/1.jpg
}

// A gallery needs one signature for all of its pictures.
func ExampleCloudCDNSigner_SignPrefix() {
	signer, err := cdn.NewCloudCDNSigner(cdn.CloudCDNConfig{
		BaseURL: "https://cdn.example.com/",
		KeyName: "my-key",
		Key:     "nZtRohdNF9m3cKM24IcK4w==",
	})
	if err != nil {
		log.Fatal(err)
	}
	gallery, err := signer.SignPrefix("users/42/", storage.WithTTL(time.Hour))
	if err != nil {
		log.Fatal(err)
	}
	for _, c := range gallery.Cookies { // http.SetCookie(w, c)
		fmt.Println(c.Name, c.Domain, c.Path)
	}
	// Output: Cloud-CDN-Cookie cdn.example.com /users/42/
}

// A printer stands for the Purger of a CDN.
type printer struct{}

func (printer) Purge(_ context.Context, urls []string) error {
	fmt.Println("purged", urls)
	return nil
}

func ExampleNewPurgeHook() {
	hook, err := cdn.NewPurgeHook(cdn.PurgeConfig{
		Purger:  printer{}, // such as that of NewCloudflarePurger
		BaseURL: "https://cdn.example.com/",
		OnError: func(_ context.Context, urls []string, err error) {
			log.Println("not purged:", urls, err)
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	bucket := memstore.New(storage.WithHook(hook))
	if _, err := bucket.Upload(context.Background(), "photos/1.jpg", strings.NewReader("new")); err != nil {
		log.Fatal(err)
	}
	// Output: purged [https://cdn.example.com/photos/1.jpg]
}

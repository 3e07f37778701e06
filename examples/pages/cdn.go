package pages

import (
	"context"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cdn"
)

// openSigner returns a signer for the URLs of a distribution of CloudFront. Use the signer wherever
// a bucket would sign downloads.
func openSigner(keyFile string) (*cdn.CloudFrontSigner, error) {
	key, err := os.ReadFile(keyFile)
	if err != nil {
		return nil, err
	}
	return cdn.NewCloudFrontSigner(cdn.CloudFrontConfig{
		BaseURL:      "https://cdn.example.com/",
		KeyPairID:    "K2JCJMDEHXQW5F",
		PrivateKey:   key,
		CookieDomain: "example.com",
	})
}

// allowGallery lets the browser of a user read all of the user's pictures for an hour.
func allowGallery(w http.ResponseWriter, signer *cdn.CloudFrontSigner, user string) error {
	gallery, err := signer.SignPrefix("users/"+user+"/", storage.WithTTL(time.Hour))
	if err != nil {
		return err
	}
	for _, cookie := range gallery.Cookies {
		http.SetCookie(w, cookie)
	}
	return nil
}

// openPurged returns a bucket whose writes purge the cache of Cloudflare.
func openPurged(ctx context.Context, address, zone string) (storage.Bucket, error) {
	purger, err := cdn.NewCloudflarePurger(cdn.CloudflareConfig{ZoneID: zone, Token: os.Getenv("CLOUDFLARE_API_TOKEN")})
	if err != nil {
		return nil, err
	}
	hook, err := cdn.NewPurgeHook(cdn.PurgeConfig{
		Purger:  purger,
		BaseURL: "https://cdn.example.com/",
		OnError: func(ctx context.Context, urls []string, err error) {
			slog.WarnContext(ctx, "the CDN serves old objects", "urls", urls, "error", err)
		},
	})
	if err != nil {
		return nil, err
	}
	return storage.Open(ctx, address, storage.WithHook(hook))
}

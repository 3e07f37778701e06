// Package cdn signs URLs and cookies of content delivery networks, and purges their caches after
// writes.
//
// A signer is a [storage.SignedDownloader], so that code which hands out links works with a bucket
// and with a CDN:
//
//	signer, err := cdn.NewCloudFrontSigner(cdn.CloudFrontConfig{
//		BaseURL: "https://d111111abcdef8.cloudfront.net/", KeyPairID: "K2JCJMDEHXQW5F", PrivateKey: pem,
//	})
//	signed, err := signer.SignedDownloadURL(ctx, "photos/1.jpg", storage.WithTTL(time.Hour))
//
// There are signers for Amazon CloudFront, Google Cloud CDN and Bunny. They make no request, and
// escape keys as PublicURL does. Azure Front Door checks no signature of its own, so it has no
// signer. Token authentication was a feature of Azure CDN from Edgio, which has been shut down
// (https://learn.microsoft.com/azure/frontdoor/front-door-cdn-comparison,
// https://learn.microsoft.com/azure/cdn/cdn-token-auth).
//
// [NewPurgeHook] purges what a write through the bucket has changed. It uses a [Purger]. This
// package has purgers for Cloudflare, Fastly and Bunny. The purger for CloudFront is in package
// providers/s3/cloudfront, because it needs Amazon's credentials.
package cdn

package s3

import (
	"net/url"
	"strings"

	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/providers/internal/address"
	"github.com/omnibucket/storage/providers/s3/internal/sdkcall"
)

// addresses lists the parameters that an address such as s3://photos can have.
var addresses = address.Form{
	Scheme: "s3",
	Params: []string{
		"region", "endpoint", "path_style", "profile", "request_payer", "expected_bucket_owner", "kms_key",
		"bucket_key",
		"cdn", "anonymous", "credentials", "vend_role",
	},
	Bucket:      "bucket",
	Account:     "s3://",
	Credentials: "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
}

func init() { address.Register(addresses, parseAddress, NewDriver, NewServiceDriver) }

// parseAddress reads the address of a bucket or, if it has no bucket, of an account.
func parseAddress(u *url.URL) (Config, error) {
	bucket, err := addresses.Name(u)
	if err != nil {
		return Config{}, err
	}

	query := u.Query()
	c := Config{
		Bucket:              bucket,
		Region:              query.Get("region"),
		Endpoint:            query.Get("endpoint"),
		Credentials:         query.Get("credentials"),
		VendRole:            query.Get("vend_role"),
		ExpectedBucketOwner: query.Get("expected_bucket_owner"),
		KMSKey:              query.Get("kms_key"),
	}

	// A missing path_style= must stay nil, because the profile then decides.
	if query.Has("path_style") {
		pathStyle, err := address.Flag(query, "path_style", false)
		if err != nil {
			return Config{}, err
		}
		c.PathStyle = &pathStyle
	}
	c.Anonymous, err = address.Flag(query, "anonymous", false)
	if err != nil {
		return Config{}, err
	}

	if query.Has("request_payer") {
		c.RequesterPays = query.Get("request_payer") == sdkcall.Requester
		if !c.RequesterPays {
			return Config{}, argument.Invalid("parameter request_payer", "must be "+sdkcall.Requester, "")
		}
	}

	c.BucketKey, err = address.Flag(query, "bucket_key", false)
	if err != nil {
		return Config{}, err
	}
	c.CDN, err = address.Flag(query, "cdn", false)
	if err != nil {
		return Config{}, err
	}

	if query.Has("profile") {
		profile, ok := NamedProfile(query.Get("profile"))
		if !ok {
			return Config{}, argument.Invalid("parameter profile", "must be one of "+strings.Join(ProfileNames(), ", "), profileHint)
		}
		c.Profile = &profile
	}
	return c, nil
}

const profileHint = "leave profile out for other servers; to select credentials in the files of AWS, set AWS_PROFILE"

package main

import (
	"fmt"
	"maps"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/locations"
)

// These are the keys of the configuration that Velero passes. The first two are in each configuration. They come from
// spec.objectStorage of the BackupStorageLocation, and so does caCert, also if it is the secret of caCertRef. The last
// one comes from spec.credential.
const (
	keyBucket          = "bucket"
	keyPrefix          = "prefix"
	keyCACert          = "caCert"
	keyCredentialsFile = "credentialsFile"
)

// These are the keys of spec.config that the plugin reads. Any other key must be a parameter of the address.
const (
	keyBucketURL     = "bucketURL"
	keyConfiguration = "configuration"
	keyCredentials   = "credentials"
	keyTimeout       = "timeout"
)

// defaultTimeout is the time without progress after which a call fails, unless the configuration has another one.
const defaultTimeout = 2 * time.Minute

// addressName is the name of the location whose address is the value of bucketURL.
const addressName = "bucketURL"

// settings are the checked configuration of a BackupStorageLocation.
type settings struct {
	bucket          string // Velero's name of the bucket, which each call repeats
	caCert          string // certificates in PEM, or ""
	credentialsFile string // path, or ""
	timeout         time.Duration

	locations *locations.Config
	name      string // name of the location in locations
}

// parse checks the configuration of a BackupStorageLocation. Its errors name the key that is wrong.
func parse(config map[string]string) (*settings, error) {
	s := &settings{
		bucket:          config[keyBucket],
		caCert:          config[keyCACert],
		credentialsFile: config[keyCredentialsFile],
		timeout:         defaultTimeout,
	}
	if text, ok := config[keyTimeout]; ok {
		timeout, err := time.ParseDuration(text)
		if err != nil || timeout < time.Second {
			return nil, invalid(keyTimeout, "must be a duration of at least one second, such as 90s", "")
		}
		s.timeout = timeout
	}

	if err := s.parseLocation(config); err != nil {
		return nil, err
	}
	if err := s.checkBucket(); err != nil {
		return nil, err
	}
	return s, nil
}

// parseLocation sets the location from bucketURL, which is an address or a name in the
// configuration of the library.
func (s *settings) parseLocation(config map[string]string) error {
	switch {
	case locations.IsAddress(config[keyBucketURL]):
		if err := s.parseAddress(config); err != nil {
			return err
		}
	case locations.IsName(config[keyBucketURL]):
		if err := s.parseName(config); err != nil {
			return err
		}
	default:
		return invalid(keyBucketURL, "must be the address of a bucket, or the name of a location",
			"write an address such as s3://backups?region=eu-west-1")
	}

	// The BackupStorageLocation decides where the backups are. So a variable of the environment with another
	// address for this location is not read.
	s.locations.Lookup = func(variable string) (string, bool) {
		if variable == locations.Variable(s.name) {
			return "", false
		}
		return os.LookupEnv(variable)
	}
	return nil
}

// parseAddress sets the location from the address in bucketURL, and the parameters beside it.
func (s *settings) parseAddress(config map[string]string) error {
	if _, set := config[keyConfiguration]; set {
		return invalid(keyConfiguration, "must not be set beside the address of a bucket",
			"set bucketURL to the name of a location in the configuration")
	}

	address := config[keyBucketURL]
	parameters := parametersOf(config)
	if err := checkParameters(address, parameters); err != nil {
		return err
	}

	location := locations.Location{
		Address:     address,
		Parameters:  parameters,
		Credentials: config[keyCredentials],
	}
	s.name = addressName
	s.locations = &locations.Config{Locations: map[string]locations.Location{s.name: location}}
	return nil
}

// parseName sets the location whose name is the value of bucketURL. The location is from the
// configuration in config or, without one, from the configuration file of the library.
func (s *settings) parseName(config map[string]string) error {
	// The location has its own parameters and credentials.
	for _, key := range append(slices.Sorted(maps.Keys(parametersOf(config))), keyCredentials) {
		if _, set := config[key]; set {
			return invalid(key, "must not be set for a location with a name",
				"set it in the configuration of the location")
		}
	}
	s.name = config[keyBucketURL]

	var err error
	if text, set := config[keyConfiguration]; set {
		s.locations, err = locations.Parse(keyConfiguration, []byte(text))
	} else {
		s.locations, err = locations.Load()
	}
	return err
}

// parametersOf returns the parameters of the address, which are all keys that neither Velero nor
// the plugin defines.
func parametersOf(config map[string]string) map[string]string {
	parameters := maps.Clone(config)
	for _, key := range []string{
		keyBucket, keyPrefix, keyCACert, keyCredentialsFile,
		keyBucketURL, keyConfiguration, keyCredentials, keyTimeout,
	} {
		delete(parameters, key)
	}
	return parameters
}

// checkParameters fails if one of the parameters is not valid for addresses of the scheme of address. The
// error names the parameter.
func checkParameters(address string, parameters map[string]string) error {
	scheme, _, _ := strings.Cut(address, "://")

	// Check each parameter in an address of its own, so that the error can name its key.
	for _, key := range slices.Sorted(maps.Keys(parameters)) {
		parameter := url.Values{key: {parameters[key]}}
		if err := storage.CheckAddress(scheme + "://bucket?" + parameter.Encode()); err != nil {
			return within(key, err)
		}
	}
	return nil
}

// checkBucket fails if Velero's name of the bucket is not the name in the address, because that would
// mislead a reader of the BackupStorageLocation. The bucket of a local directory may have any name.
func (s *settings) checkBucket() error {
	if s.bucket == "" {
		return invalid(keyBucket, "must not be empty", "set spec.objectStorage.bucket")
	}
	address, err := s.locations.Address(s.name)
	if err != nil {
		return within(keyBucketURL, err)
	}
	// Opening the bucket reports an address that cannot be parsed.
	u, err := url.Parse(address)
	if err == nil && u.Scheme != "file" && u.Host != s.bucket {
		return invalid(keyBucket, fmt.Sprintf("must be %q, as in the address of the bucket", u.Host),
			"correct spec.objectStorage.bucket or bucketURL")
	}
	return nil
}

// invalid returns an error that says what rule the value of a config key breaks.
func invalid(key, rule, hint string) error {
	return &storage.Error{
		Code: storage.InvalidArgument,
		Err:  fmt.Errorf("config key %s %s", key, rule),
		Hint: hint,
	}
}

// within adds a key of the configuration to an error.
func within(key string, err error) error { return fmt.Errorf("config key %s: %w", key, err) }

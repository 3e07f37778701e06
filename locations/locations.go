// Package locations opens buckets by names that are defined in a configuration file. The file, and
// not the program, decides where the objects are, and which layers are between the program and the
// store:
//
//	locations:
//	  photos:
//	    address: s3://photos?region=eu-west-1
//	    prefix: production/
//	    layers:
//	      - overlay: {old: disk}
//	      - diskcache: {dir: /var/cache/photos, max: 10G}
//	  disk: file:///var/photos
//
// A program opens the bucket by its name:
//
//	bucket, err := locations.Open(ctx, "photos")
//
// The command line, "omnibucket serve" and programs read the same file in the same way. Its path is
// the value of OMNIBUCKET_CONFIG, or otherwise omnibucket/config.yaml in the user's directory for
// configurations. An environment variable, such as OMNIBUCKET_PHOTOS for photos, replaces the
// address in the file. The layers and the prefix beside the address stay.
//
// A file that is cut short may lack its last layers without an error. So replace the file by a
// rename, and never write into it.
//
// A program can only use the drivers and layers that it imports:
//
//	import (
//		_ "github.com/omnibucket/storage/layers/overlay"
//		_ "github.com/omnibucket/storage/providers/s3"
//	)
//
// The file must not contain secrets. It only names credentials that are kept elsewhere.
package locations

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	"github.com/omnibucket/storage"
)

// A Config has locations by name. [Load], [ReadFile] and [Parse] read one from a file. A program
// that keeps its settings elsewhere makes a Config itself. Its methods may be called concurrently
// while nobody changes it.
type Config struct {
	// Locations maps names to locations. A name has letters, digits, "-" and "_", and begins with a
	// letter. Names such as a-b and A_B have the same environment variable, so the configuration
	// may have only one of them.
	Locations map[string]Location
	// Settings maps flags of the command omnibucket to their values. Only that command uses
	// Settings.
	Settings map[string]string
	// Lookup returns an environment variable. The default is [os.LookupEnv].
	Lookup func(name string) (value string, set bool)
	// OpenBucket opens the address of a location, with its layers among the options. The default is [storage.Open].
	OpenBucket func(ctx context.Context, address string, opts ...storage.OpenOption) (storage.Bucket, error)

	file string // for errors
}

// A Location says where a bucket is, and which layers are between the bucket and the program.
type Location struct {
	// Address is the address of a bucket or an account, as for [storage.Open]. In addition, it may end in a folder,
	// as in s3://photos/production or file:///var/photos#production. The bucket then has only the objects in that
	// folder.
	Address string
	// Parameters are query parameters that are added to the address: prefix, part_size,
	// public_base_url, region and so on. In a file, they are fields beside the address.
	Parameters map[string]string
	// Credentials is the name of credentials that are kept elsewhere. It becomes the parameter "credentials" of the
	// address.
	Credentials string
	// Require has names of features, such as "ConditionalCreate". If the bucket lacks one of them, opening it fails
	// with Unsupported.
	Require []string
	// Layers are the layers of the bucket. The first one is next to the store.
	Layers []Layer

	line int
}

// A Layer is a layer that a location puts around its bucket, such as a cache.
type Layer struct {
	// Name is the name that the package of the layer has registered, such as "overlay".
	Name string
	// Settings are the settings of the layer: nil, a string, a map[string]any, or a struct with
	// yaml tags.
	Settings any

	line int
}

// Open opens the bucket of a location by its name, from the configuration that [Load] returns. name may also be an
// address. To close the bucket, and the stores and caches of its layers, call [storage.Close].
//
// It fails with InvalidArgument if the configuration is wrong or has no such name, and with Unsupported if the bucket
// lacks a feature that the location requires. Otherwise the error is that of [storage.Open].
func Open(ctx context.Context, name string, opts ...storage.OpenOption) (storage.Bucket, error) {
	if IsAddress(name) {
		return storage.Open(ctx, name, opts...)
	}
	c, err := Load()
	if err != nil {
		return nil, err
	}
	return c.Open(ctx, name, opts...)
}

// OpenService is like [Open], but for a location that is an account. It fails with InvalidArgument if
// the location has a layer with a second store, because all buckets would share that store.
func OpenService(ctx context.Context, name string, opts ...storage.OpenOption) (storage.Service, error) {
	if IsAddress(name) {
		return storage.OpenService(ctx, name, opts...)
	}
	c, err := Load()
	if err != nil {
		return nil, err
	}
	return c.OpenService(ctx, name, opts...)
}

// Names returns the sorted names of the locations in the configuration that [Load] returns.
func Names() ([]string, error) {
	c, err := Load()
	if err != nil {
		return nil, err
	}
	return c.Names(), nil
}

// Names returns the sorted names of the locations in c. It does not return locations that only the
// environment defines.
func (c *Config) Names() []string { return slices.Sorted(maps.Keys(c.Locations)) }

// Find returns the location with this name from the configuration. If the configuration lacks the
// name, Find returns a location with the same environment variable ([Variable]). For example, the
// names a-b and A_B have the same variable. Find ignores addresses in the environment.
func (c *Config) Find(name string) (loc Location, known bool) {
	f, known := c.configuredLocation(name)
	return f.location, known
}

// Address returns the address of a location: that in the environment if there is one, and otherwise the
// one in the configuration, with the parameters. The result may end in a folder, which [storage.Open]
// does not accept, whereas [Config.Open] accepts the name of such a location. If the location has no
// address, Address fails with InvalidArgument.
func (c *Config) Address(name string) (string, error) {
	loc, err := c.find(name)
	if err != nil {
		return "", err
	}
	return loc.location.configuredAddress()
}

// Open is like the function [Open], but uses this configuration.
func (c *Config) Open(ctx context.Context, name string, opts ...storage.OpenOption) (storage.Bucket, error) {
	if IsAddress(name) {
		return c.openBucket(ctx, name, opts...)
	}
	loc, err := c.find(name)
	if err != nil {
		return nil, err
	}

	layers, err := c.openLayers(ctx, loc, true)
	if err != nil {
		return nil, err
	}
	bucket, err := c.openBucket(ctx, loc.address, append(layers.options(), opts...)...)
	if err != nil {
		_ = layers.Close()
		return nil, err
	}

	if err := storage.Require(bucket, loc.location.Features()); err != nil {
		_ = storage.Close(bucket)
		return nil, err
	}
	return bucket, nil
}

// OpenService is like the function [OpenService], but uses this configuration.
func (c *Config) OpenService(ctx context.Context, name string, opts ...storage.OpenOption) (storage.Service, error) {
	if IsAddress(name) {
		return storage.OpenService(ctx, name, opts...)
	}
	loc, err := c.find(name)
	if err != nil {
		return nil, err
	}
	if len(loc.location.Require) > 0 {
		err := invalid("require must be for one bucket, and not for an account", "")
		return nil, c.locate(loc.name, 0, err, "")
	}

	const isBucket = false // the location is an account
	layers, err := c.openLayers(ctx, loc, isBucket)
	if err != nil {
		return nil, err
	}
	service, err := storage.OpenService(ctx, loc.address, append(layers.options(), opts...)...)
	if err != nil {
		_ = layers.Close()
		return nil, err
	}
	return closingService{service, layers}, nil
}

// A closingService closes the layers after it has closed the account.
type closingService struct {
	storage.Service
	layers io.Closer
}

func (s closingService) Close() error { return errors.Join(s.Service.Close(), s.layers.Close()) }

// openBucket opens the bucket at an address, using the function of the configuration if there is one.
func (c *Config) openBucket(ctx context.Context, address string, opts ...storage.OpenOption) (storage.Bucket, error) {
	if c.OpenBucket != nil {
		return c.OpenBucket(ctx, address, opts...)
	}
	return storage.Open(ctx, address, opts...)
}

// lookup returns the value of an environment variable, using the function of the configuration if there
// is one.
func (c *Config) lookup(variable string) (value string, set bool) {
	if c.Lookup != nil {
		return c.Lookup(variable)
	}
	return os.LookupEnv(variable)
}

// position returns "file:line: " for the beginning of an error, without a line that is 0. It returns ""
// if the configuration is not from a file.
func (c *Config) position(line int) string {
	if c.file == "" {
		return ""
	}
	if line == 0 {
		return c.file + ": "
	}
	return fmt.Sprintf("%s:%d: ", c.file, line)
}

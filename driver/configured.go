package driver

import (
	"context"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/argument"
)

// A ConfiguredLayer is a layer from a configuration file. Its settings were checked, but it is not
// open yet.
type ConfiguredLayer struct {
	// Other is the name of the location that the layer uses as its second store, or "". A layer
	// with a second store can be opened for one bucket, but not for an account.
	Other string
	// Directory is the local directory in which the layer keeps files, or "". It must not overlap
	// with the directory of a local bucket that the layer wraps.
	Directory string
	// Open opens the layer. The io.Closer may be nil. Otherwise it must be closed after the bucket.
	Open func(ctx context.Context, p LayerParts) (Layer, io.Closer, error)
}

// LayerParts are what a layer of a configuration file may need when it is opened.
type LayerParts struct {
	Other  storage.Bucket                             // second store of the layer, or nil; the caller closes it
	Lookup func(name string) (value string, set bool) // returns an environment variable
}

// LayerSettings decodes the part of a configuration that belongs to a layer. Its parameter is a pointer to a string, or
// to a struct whose fields have the tag yaml. LayerSettings fails with InvalidArgument if the part has another form, an
// unknown field or a value of another type. The error quotes no value.
type LayerSettings func(dst any) error

// A LayerConfigurer reads and checks the settings of a layer, without opening it.
type LayerConfigurer func(LayerSettings) (*ConfiguredLayer, error)

var layerRegistry = struct {
	sync.RWMutex
	by map[string]LayerConfigurer
}{by: map[string]LayerConfigurer{}}

var layerName = regexp.MustCompile("^[a-z][a-z0-9]*$")

// RegisterLayer registers the name of a layer, so that a configuration file of package locations
// can use it. The package of a layer calls it when a program imports the package. It panics if the
// name is registered already, or has other characters than lower-case letters and digits.
func RegisterLayer(name string, configure LayerConfigurer) {
	layerRegistry.Lock()
	defer layerRegistry.Unlock()
	if _, ok := layerRegistry.by[name]; ok {
		panic("driver: RegisterLayer: layer " + name + " is registered already")
	}
	if !layerName.MatchString(name) {
		panic(fmt.Sprintf("driver: RegisterLayer: name %q must have letters in lower case and digits only", name))
	}
	layerRegistry.by[name] = configure
}

// layerPackages maps the name of a layer to the package of this library that registers it.
var layerPackages = map[string]string{
	"limit":     "github.com/omnibucket/storage/layers/limit",
	"diskcache": "github.com/omnibucket/storage/layers/diskcache",
	"encrypt":   "github.com/omnibucket/storage/layers/encrypt",
	"mirror":    "github.com/omnibucket/storage/layers/mirror",
	"overlay":   "github.com/omnibucket/storage/layers/overlay",
	"readonly":  "github.com/omnibucket/storage/layers/readonly",
}

// ConfigureLayer reads and checks the settings of the layer with this name. It fails with
// InvalidArgument if the name is not registered. The hint then names the package to import, if the
// layer is from this library, and otherwise the error lists the known names.
func ConfigureLayer(name string, settings LayerSettings) (*ConfiguredLayer, error) {
	layerRegistry.RLock()
	configure, ok := layerRegistry.by[name]
	names := slices.Sorted(maps.Keys(layerRegistry.by))
	layerRegistry.RUnlock()
	if ok {
		return configure(settings)
	}
	if path, isOurs := layerPackages[name]; isOurs {
		return nil, argument.Invalid("layer "+name, "must be compiled into the program",
			fmt.Sprintf("import _ %q, which registers it", path))
	}
	// The error does not quote the name, because a secret may have been written in its place.
	return nil, argument.Invalid("layer", "must have a name that is known: "+strings.Join(names, ", "), "")
}

// KnowsLayer reports whether a layer with this name is registered, and whether it is one of this
// library (ours), even if the program does not import its package.
func KnowsLayer(name string) (registered, ours bool) {
	layerRegistry.RLock()
	defer layerRegistry.RUnlock()
	_, ours = layerPackages[name]
	return layerRegistry.by[name] != nil, ours
}

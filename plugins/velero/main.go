// The Velero plugin keeps Velero's backups in any store of this library. Velero starts it for a BackupStorageLocation
// with the provider omnibucket.io/omnibucket: docs/velero.md has the lines to type.
//
// The image of the plugin is an init container of Velero. It copies the program into Velero's directory of plugins:
//
//	velero-plugin-for-omnibucket install /target
package main

import (
	"fmt"
	"os"

	"github.com/sirupsen/logrus"
	"github.com/spf13/pflag"
	"github.com/vmware-tanzu/velero/pkg/plugin/framework"

	_ "github.com/omnibucket/storage/layers/diskcache"
	_ "github.com/omnibucket/storage/layers/encrypt"
	_ "github.com/omnibucket/storage/layers/encrypt/awskms"
	_ "github.com/omnibucket/storage/layers/encrypt/azurekeyvault"
	_ "github.com/omnibucket/storage/layers/encrypt/googlekms"
	_ "github.com/omnibucket/storage/layers/limit"
	_ "github.com/omnibucket/storage/layers/mirror"
	_ "github.com/omnibucket/storage/layers/overlay"
	_ "github.com/omnibucket/storage/layers/readonly"
	_ "github.com/omnibucket/storage/memstore"        // mem://
	_ "github.com/omnibucket/storage/providers/azure" // azblob://
	_ "github.com/omnibucket/storage/providers/gcs"   // gs://
	_ "github.com/omnibucket/storage/providers/local" // file:///
	_ "github.com/omnibucket/storage/providers/s3"    // s3://
)

// provider is the name of the object store in a BackupStorageLocation.
const provider = "omnibucket.io/omnibucket"

// release is the version tag of the library, such as v0.1.0, from which this program was built. The linker sets the
// variable.
var release string

// main serves Velero as its plugin, unless the arguments ask for the version or for an
// installation.
func main() {
	// Velero passes its own flags, and no other arguments.
	if len(os.Args) == 2 && os.Args[1] == "version" {
		fmt.Println(programName, release)
		return
	}
	if len(os.Args) == 3 && os.Args[1] == "install" {
		if err := install(os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	framework.NewServer().
		BindFlags(pflag.CommandLine).
		RegisterObjectStore(provider, func(logrus.FieldLogger) (any, error) {
			return &objectStore{}, nil
		}).
		Serve()
}

package app

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/gitbook-courier/courier/config"
	"github.com/gitbook-courier/courier/internal/version"
)

var (
	// errUsage is a command line that was refused; flag has said why.
	errUsage = errors.New("usage")
	// errVersion is a command line that asked for the version, which was printed.
	errVersion = errors.New("version")
)

// Flags are a program's flags. Each has an environment variable, which counts where the flag is not
// given, and --version is among them.
type Flags struct {
	*flag.FlagSet
	version bool
}

// NewFlags makes the flags of the program of that name.
func NewFlags(name string) *Flags {
	f := &Flags{FlagSet: flag.NewFlagSet(name, flag.ContinueOnError)}
	f.BoolVar(&f.version, "version", false, "print the version, the commit and Temporal's version, and exit")
	return f
}

// Variable defines a flag that an environment variable sets too.
func (f *Flags) Variable(value *string, name, variable, byDefault, usage string) {
	f.StringVar(value, name, cmp.Or(os.Getenv(variable), byDefault), usage+" ("+variable+")")
}

// Config defines --config.
func (f *Flags) Config() *string {
	file := new(string)
	f.Variable(file, "config", "COURIER_CONFIG", "", "the configuration `file`; without one the defaults apply")
	return file
}

// Listen defines --listen and --admin-listen, which win over the configuration file.
func (f *Flags) Listen(o *config.Options) {
	f.Variable(&o.Listen, "listen", "COURIER_LISTEN", "", "the starter's `address`, instead of the key listen, which is "+config.DefaultListen+" by default")
	f.Variable(&o.AdminListen, "admin-listen", "COURIER_ADMIN_LISTEN", "", "the `address` of metrics and probes, instead of the key admin_listen; off for none")
}

// Parse parses a command line that takes flags alone. It prints the version if that was asked for.
func (f *Flags) Parse(args []string, stdout io.Writer) error {
	if err := f.parse(args, stdout); err != nil {
		return err
	}
	if f.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	return nil
}

// ParseOne parses a command line that takes one argument, before or after its flags. The argument is
// empty when it is missing.
func (f *Flags) ParseOne(args []string, stdout io.Writer) (argument string, err error) {
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		return args[0], f.Parse(args[1:], stdout)
	}
	if err := f.parse(args, stdout); err != nil {
		return "", err
	}
	if f.NArg() > 1 {
		return "", fmt.Errorf("unexpected argument %q", f.Arg(1))
	}
	return f.Arg(0), nil
}

func (f *Flags) parse(args []string, stdout io.Writer) error {
	if err := f.FlagSet.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return errUsage
	}
	if f.version {
		fmt.Fprintln(stdout, f.Name(), version.Of())
		return errVersion
	}
	return nil
}

package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/gitbook-courier/courier/app"
	"github.com/gitbook-courier/courier/standalone/datadir"
	"github.com/gitbook-courier/courier/standalone/engine"
)

// backupCommand copies the data folder while Courier runs.
const backupCommand = "backup"

// backup serves "courier backup DIR".
func backup(ctx context.Context, args []string) error {
	var data string
	flags := app.NewFlags(name + " " + backupCommand)
	flags.Variable(&data, "data", "COURIER_DATA", "data", "the `folder` of the database and the keys")
	target, err := flags.ParseOne(args, os.Stdout)
	if err != nil {
		return err
	}
	if target == "" {
		return errors.New("name the folder for the backup, which must not be there yet: courier backup DIR")
	}
	if err := engine.Backup(ctx, data, target, datadir.Files()...); err != nil {
		return err
	}
	fmt.Fprintf(os.Stdout, "%s has everything that was stored until now. It is a data folder: courier --data %s goes on from there.\n", target, target)
	return nil
}

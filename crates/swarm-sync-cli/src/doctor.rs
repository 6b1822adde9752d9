//! `doctor`: would a hub, an agent or a command run well from here, and if not, what is to be done? Or, given a
//! directory: what is in it?

mod certificates;
mod clock;
mod disk;
mod filesystem;
mod hub;
mod inside;
mod limits;
mod lock;
mod owner;
mod report;
mod rights;
mod space;
mod store;
mod transport;
mod versions;
mod writing;

use crate::cli::DoctorArgs;
use crate::data;
use crate::exit::Failure;

use self::clock::Reading;
use self::report::Report;

pub(crate) async fn run(args: DoctorArgs) -> Result<(), Failure> {
    if let Some(directory) = args.directory {
        return inside::look(directory).await?.print(args.hub.json);
    }
    let began = Reading::now();
    let mut report = Report::default();
    let directory = match args.data {
        Some(directory) => directory,
        None => data::default_directory(&["hub"])?,
    };
    report.extend(hub::look(&args.hub, args.agent).await);
    report.extend(disk::look(directory, args.hub.patience()).await);
    report.extend(limits::look());
    report.extend([clock::own(began, Reading::now())]);
    report.print(args.hub.json)
}
